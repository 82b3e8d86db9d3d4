import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { TowpathError } from "../../../src/model/errors.js";
import { parseSpec, requireSpec } from "../../../src/model/spec/parse.js";
import { formatProblem } from "../../../src/model/spec/problems.js";
import { EXAMPLE, specWith } from "./example.js";

/** What `towpath validate` would print, a line a problem. */
function problems(text: string, fileName = "f"): string[] {
  const parsed = parseSpec(text, { fileName });
  return parsed.ok ? [] : parsed.problems.map((problem) => formatProblem("f", problem).replace(/^f:/, ""));
}

/** Steps in `migrate`, the first on line 7. */
function steps(...lines: readonly string[]): string {
  return specWith("", lines.map((line) => `      ${line}\n`).join(""));
}

/** Keys on the top level behind the least spec, the first on line 8. */
function top(...lines: readonly string[]): string {
  return specWith(lines.map((line) => `${line}\n`).join(""));
}

describe("parseSpec", () => {
  it("takes the documented example", () => {
    const parsed = parseSpec(EXAMPLE, { fileName: "towpath.yaml" });
    expect(parsed).toMatchObject({ ok: true, spec: { name: "sqlparse-py2-to-py3" } });
  });

  it.each([
    ["the least", specWith("")],
    ["a byte order mark and CRLF", `\uFEFF${specWith("").replaceAll("\n", "\r\n")}`],
    ["an alias", specWith("env: { A: &a x, B: *a }\n")],
    ["`depends_on`", steps("- { id: a, run: x }", "- { id: b, run: x, depends_on: a }")],
    ["needs of an earlier phase", specWith("  verify:\n    steps: [{ id: b, run: x, needs: a }]\n")],
    ["numbers and booleans in the environment", top("env: { PORT: 8080, ON: true, V: '1.10' }")],
    ["an anchored exclude pattern", top("workspace: { exclude: [/.venv/, '*.pyc'] }")],
    ["a gate of one script", specWith("    gate: { run: ./check.sh }\n")],
    ["an approval that waits a year", specWith("    gate: { approval: { timeout: 365d } }\n")],
    ["braces in free text", top("description: 'replaces ${{ x }}'")],
    ["an escaped brace in a script", steps("- { id: a, run: \"echo ${{ '${{' }}\" }")],
  ])("takes %s", (_, text) => {
    expect(problems(text)).toEqual([]);
  });

  describe("says exactly where the text is not a spec:", () => {
    it.each([
      ["empty", "", ["1:1: expected a mapping, found an empty value"]],
      ["a list", "- a\n", ["1:1: expected a mapping, found a list"]],
      ["a word", "hello", ["1:1: expected a mapping, found `hello`"]],
      ["a tab", `${specWith("")}\tenv: {}\n`, ["8:1: not valid YAML: Tabs are not allowed as indentation"]],
      ["a duplicate key", top("name: other"), ["8:1: duplicate key `name`"]],
      [
        "a merge key",
        top("env: { <<: { A: b } }"),
        ["8:8: merge keys (`<<`) are not supported: repeat the keys, or put them under `defaults`"],
      ],
      ["a tag", top("env: { A: !secret x }"), ["8:11: not valid YAML: Unresolved tag: !secret"]],
      [
        "two documents",
        `${specWith("")}---\nb: 1\n`,
        ["9:1: a spec is one document: more than one `---` part stands here"],
      ],
      ["__proto__", top("env: { __proto__: x }"), ["8:8: `__proto__` cannot be a key"]],
      ["a key that is a list", top("? [a]", ": b"), ["8:3: a key must be plain text"]],
      [
        "an unclosed quote",
        top('env: { A: "x }'),
        [
          '9:1: not valid YAML: Missing closing "quote',
          "9:1: not valid YAML: Flow map in block collection must be sufficiently indented and end with a }",
        ],
      ],
      [
        "an unknown alias",
        top("env: { A: *nowhere }"),
        [
          "1:1: the file's aliases cannot be resolved: Unresolved alias (the anchor must be set before the alias): nowhere",
        ],
      ],
    ])("%s", (_, text, expected) => {
      expect(problems(text)).toEqual(expected);
    });

    it("a file that is too large", () => {
      expect(problems(`${specWith("")}# ${"x".repeat(256 * 1024)}`)).toEqual([
        "1:1: the spec is larger than 256 KiB",
      ]);
    });

    it.each([
      ["flow lists", `a: ${"[".repeat(100_000)}${"]".repeat(100_000)}`],
      ["unclosed maps", "{a: ".repeat(60_000)],
      ["block lists", "- ".repeat(100_000)],
      ["complex keys", "? ".repeat(100_000)],
    ])("thousands of nested %s, without running out of stack or memory", (_, text) => {
      expect(problems(text)).toEqual([expect.stringMatching(/nested more than 64 levels deep$/)]);
    });

    it("aliases that would grow without end", () => {
      const levels = Array.from(
        { length: 12 },
        (_, i) => `l${i + 1}: &l${i + 1} [${Array(9).fill(`*l${i}`).join(",")}]`,
      );
      const [message] = problems(`l0: &l0 [x]\n${levels.join("\n")}\n`);
      expect(message).toMatch(/aliases cannot be resolved: Excessive alias count/);
    });

    it("an alias inside of what it names", () => {
      expect(problems("a: &a [*a]\n")).toEqual(["1:8: the alias `*a` stands inside of what it names"]);
    });
  });

  describe("reads JSON as JSON:", () => {
    const json = JSON.stringify(
      {
        $schema: "x",
        version: 1,
        name: "n",
        target: "t",
        phases: { migrate: { steps: [{ id: "a", run: "x" }] } },
      },
      null,
      "\t",
    );

    it("takes it, with tabs", () => {
      expect(problems(json, "towpath.json")).toEqual([]);
      expect(parseSpec(json, { fileName: "spec", format: "json" }).ok).toBe(true);
    });

    it.each([
      ["YAML", "version: 1\n", /^1:\d+: not valid JSON/],
      ["a comment", `{} # comment`, /^1:\d+: not valid JSON/],
      ["a trailing comma", `{"version": 1,}`, /^1:15: not valid JSON/],
      ["a duplicate key", `{"version": 1, "version": 1}`, /^1:16: duplicate key `version`/],
    ])("refuses %s", (_, text, expected) => {
      expect(problems(text, "towpath.json")[0]).toMatch(expected);
    });

    it("places problems", () => {
      expect(problems(json.replace('"run"', '"rnu"'), "towpath.json")).toEqual([
        "11:6: unknown key `rnu` (did you mean `run`?)",
      ]);
    });
  });

  describe("names wrong keys and values:", () => {
    it.each([
      ["a misspelt key", top("enviroment: {}"), ["8:1: unknown key `enviroment`"]],
      [
        "a misspelt key of a step",
        steps("- { id: a, run: x, tiemout: 5m }"),
        ["7:26: unknown key `tiemout` (did you mean `timeout`?)"],
      ],
      [
        "an underscore",
        steps("- { id: a, run: x, idle_timeout: 5m }"),
        ["7:26: unknown key `idle_timeout` (did you mean `idle-timeout`?)"],
      ],
      ["a misspelt phase", top("  verfiy: {}"), ["8:3: unknown key `verfiy` (did you mean `verify`?)"]],
      ["a word far from all", top("zzz: 1"), ["8:1: unknown key `zzz`"]],
      [
        "features elsewhere",
        top("  verify: { features: from-baseline }"),
        ["8:13: `features` belongs to `phases.guardrail`"],
      ],
      [
        "a container with a host network, too much and a misspelt key",
        top("defaults: { container: { image: app/UP, network: host, memory: lots, cpu: 2, user: 0 } }"),
        [
          "8:33: `app/UP` is no image: its name must be in lower case",
          "8:50: `none`, `bridge`, or the name of a network; not the host's",
          "8:64: memory is a number and a unit, as in 512m, 2g",
          "8:70: unknown key `cpu`",
          "8:84: a user is a number, or uid:gid, and not root",
        ],
      ],
      [
        "a container of a step that has no image",
        steps("- { id: a, run: x, container: { memory: 1g } }"),
        ["7:37: this container needs an `image`: `defaults.container` names none"],
      ],
      [
        "a matrix",
        steps("- { id: a, run: x, strategy: { matrix: {} } }"),
        ["7:26: `strategy` is not supported by this version"],
      ],
      [
        "max-parallel",
        specWith("    max-parallel: 2\n"),
        ["8:5: `max-parallel` is not supported by this version: steps run one after the other"],
      ],
      [
        "another version",
        specWith("").replace("1", "2"),
        ["1:10: this version of Towpath reads `version: 1`"],
      ],
      ["no version", specWith("").replace("version: 1\n", ""), ["1:1: `version` is missing"]],
      ["no target", specWith("").replace("target: t\n", ""), ["1:1: `target` is missing"]],
      ["no id", steps("- { run: x }"), ["7:9: `id` is missing"]],
      [
        "an id with a dot",
        steps("- { id: a.b, run: x }"),
        ["7:15: an id consists of letters, digits, _ and -, at most 63 of them"],
      ],
      [
        "an id that is too long",
        steps(`- { id: ${"a".repeat(64)}, run: x }`),
        ["7:15: an id consists of letters, digits, _ and -, at most 63 of them"],
      ],
      ["an empty script", steps("- { id: a, run: ' ' }"), ["7:23: the script is empty"]],
      ["a list for a script", steps("- { id: a, run: [x] }"), ["7:23: expected a text, found a list"]],
      [
        "a mapping for scripts",
        steps("- { id: a, run: x, verify: { a: b } }"),
        ["7:34: expected a text or a list, found a mapping"],
      ],
      [
        "a number among scripts",
        steps("- { id: a, run: x, verify: [y, 1] }"),
        ["7:38: expected a text, found the number `1`"],
      ],
      [
        "a duration without a unit",
        steps("- { id: a, run: x, timeout: 10 }"),
        ["7:35: a duration is a whole number and a unit, as in 500ms, 30s, 10m, 2h, 7d"],
      ],
      [
        "a duration of zero",
        steps("- { id: a, run: x, timeout: 0s }"),
        ["7:35: a duration is a whole number and a unit, as in 500ms, 30s, 10m, 2h, 7d"],
      ],
      [
        "a duration that is too long",
        steps("- { id: a, run: x, timeout: 31d }"),
        ["7:35: a duration of at most 30d"],
      ],
      [
        "an approval for more than a year",
        specWith("    gate: { approval: { timeout: 366d } }\n"),
        ["8:34: a duration of at most 365d"],
      ],
      [
        "a misspelt choice",
        specWith("    gate: { approval: { timeout: 1d, on-timeout: rejct } }\n"),
        ["8:50: expected `reject` or `pause`, found `rejct` (did you mean `reject`?)"],
      ],
      [
        "features of another word",
        top("  guardrail: { features: baseline }"),
        ["8:26: expected `from-baseline` or a list, found `baseline`"],
      ],
      [
        "a feature without a test",
        top("  guardrail: { features: [{ id: a, description: b }] }"),
        ["8:27: `test` is missing"],
      ],
      [
        "no-new-failures: false",
        top("baseline: { run: x, report: y }", "").replace(
          "- { id: a, run: make }\n",
          "- { id: a, run: make, report: r.xml }\n    gate: { tests: { no-new-failures: false } }\n",
        ),
        ["8:39: `no-new-failures` can only be true: leave `tests` out to compare no tests"],
      ],
      [
        "a negative ratchet",
        specWith("    gate: { ratchet: [{ name: a, run: b, max: -1 }] }\n"),
        [expect.stringMatching(/^8:47: /)],
      ],
      [
        "a variable's name",
        top("env: { 'A B': x }"),
        ["8:8: `A B`: a name consists of letters, digits and _, and does not begin with a digit"],
      ],
      ["a list of variables", top("env: [A]"), ["8:6: expected a mapping, found a list"]],
      [
        "an unknown setting of the survey",
        steps("- { id: a, run: x }", "- { id: b, uses: survey, with: { ignroe: [] } }"),
        ["8:40: unknown key `ignroe` (did you mean `ignore`?)"],
      ],
      [
        "another built-in",
        steps("- { id: a, uses: survy }"),
        ["7:24: expected `survey`, found `survy` (did you mean `survey`?)"],
      ],
      [
        "too many attempts",
        top("defaults: { retry: { max-attempts: 0 } }"),
        [expect.stringMatching(/^8:36: /)],
      ],
    ])("%s", (_, text, expected) => {
      expect(problems(text)).toEqual(expected);
    });
  });

  describe("checks what the parts have to do with each other:", () => {
    it.each([
      [
        "no steps in migrate",
        "version: 1\nname: n\ntarget: t\nphases:\n  understand: { steps: [{ id: a, run: x }] }\n",
        ["4:1: `phases.migrate` needs at least one step: a plan without is refused"],
      ],
      [
        "two steps of one id",
        specWith("  verify:\n    steps: [{ id: a, run: x }]\n"),
        ["9:19: there is already a step `a`: ids are unique over all phases"],
      ],
      [
        "ids that differ in case",
        steps("- { id: Ab, run: x }", "- { id: aB, run: x }"),
        ["8:15: the ids `Ab` and `aB` differ only in case, which some file systems do not tell apart"],
      ],
      [
        "a step that does nothing",
        steps("- { id: a }"),
        ["7:9: step `a` needs exactly one of `run`, `agent` and `uses`: it has none"],
      ],
      [
        "a step that does two things",
        steps("- { id: a, run: x, uses: survey }"),
        ["7:9: step `a` needs exactly one of `run`, `agent` and `uses`: it has `run` and `uses`"],
      ],
      ["with without uses", steps("- { id: a, run: x, with: {} }"), ["7:26: `with` belongs to `uses`"]],
      [
        "a survey with a commit",
        steps("- { id: a, run: x }", "- { id: s, uses: survey, commit: c }"),
        ["8:32: `commit` has no effect on `uses: survey`, which leaves the code alone"],
      ],
      [
        "needs of an unknown step",
        steps("- { id: build, run: x }", "- { id: b, run: x, needs: [biuld] }"),
        ["8:34: there is no step `biuld` (did you mean `build`?)"],
      ],
      [
        "needs of a later phase",
        specWith("  understand:\n    steps: [{ id: u, run: x, needs: a }]\n"),
        [
          "9:37: `a` stands in the later phase `migrate`: a step needs steps of its own phase, or of earlier ones",
        ],
      ],
      [
        "needs and depends_on",
        steps("- { id: a, run: x }", "- { id: b, run: x, needs: a, depends_on: a }"),
        ["8:36: `depends_on` is another word for `needs`: write one of them"],
      ],
      [
        "a need listed twice",
        steps("- { id: a, run: x }", "- { id: b, run: x, needs: [a, a] }"),
        ["8:37: this step is listed twice"],
      ],
      [
        "a step that needs itself",
        steps("- { id: a, run: x, needs: a }"),
        ["7:33: these steps need each other in a circle: a → a"],
      ],
      [
        "a circle",
        steps(
          "- { id: x, run: x, needs: c }",
          "- { id: a, run: x, needs: c }",
          "- { id: b, run: x, needs: [a] }",
          "- { id: c, run: x, depends_on: [b] }",
        ),
        ["8:33: these steps need each other in a circle: a → c → b → a"],
      ],
      [
        "two circles",
        steps(
          "- { id: a, run: x, needs: b }",
          "- { id: b, run: x, needs: a }",
          "- { id: c, run: x, needs: c }",
        ),
        [
          "7:33: these steps need each other in a circle: a → b → a",
          "9:33: these steps need each other in a circle: c → c",
        ],
      ],
      [
        "an output listed twice",
        steps("- { id: a, run: x, outputs: [v, v] }"),
        ["7:39: this output is listed twice"],
      ],
      [
        "from-baseline without a baseline",
        top("  guardrail: { features: from-baseline }"),
        ["8:26: `from-baseline` needs a `baseline` with a report"],
      ],
      ["a baseline without a report", top("baseline: { run: x }"), ["8:1: `report` is missing"]],
      [
        "a tests gate without anything to compare",
        specWith("    gate: { tests: {} }\n"),
        [
          "8:13: `tests` compares with the baseline, and the spec has no `baseline`",
          "8:13: `tests` needs a step with a `report` in `phases.migrate`",
        ],
      ],
      [
        "two features of one id",
        top(
          "  guardrail:",
          "    features:",
          "      - { id: f, description: d, test: t }",
          "      - { id: f, description: d, test: t }",
        ),
        ["11:15: there is already a feature of this id"],
      ],
      [
        "two ratchets of one name",
        specWith("    gate:\n      ratchet: [{ name: r, run: x, max: 0 }, { name: r, run: x, max: 0 }]\n"),
        ["9:54: there is already a ratchet of this name"],
      ],
      [
        "on-timeout without timeout",
        specWith("    gate: { approval: { on-timeout: pause } }\n"),
        ["8:25: `on-timeout` needs a `timeout`"],
      ],
      [
        "a parameter that may be nothing",
        top("params: { p: { type: string } }"),
        ["8:14: a parameter needs a `default`, or `required: true`"],
      ],
      [
        "a required parameter with a default",
        top("params: { p: { type: string, required: true, default: x } }"),
        ["8:46: a `required` parameter has no use for a `default`"],
      ],
      [
        "a default of another type",
        top("params: { p: { type: string, default: 3.10 } }"),
        ["8:39: the default is a number, the parameter a string: put it in quotes"],
      ],
      [
        "a default that is no option",
        top("params: { p: { type: choice, options: [red, green], default: gren } }"),
        ["8:62: the default does not fit: expected one of red, green (did you mean `green`?)"],
      ],
      [
        "a choice without options",
        top("params: { p: { type: choice, required: true } }"),
        ["8:14: a `choice` needs `options`"],
      ],
      [
        "options without a choice",
        top("params: { p: { type: string, default: a, options: [a] } }"),
        ["8:42: `options` belongs to `type: choice`"],
      ],
      [
        "a number that YAML changes",
        top("env: { V: 1.10 }"),
        ["8:11: YAML reads `1.10` as 1.1: put it in quotes"],
      ],
      ["a hexadecimal number", top("env: { V: 0x1F }"), ["8:11: YAML reads `0x1F` as 31: put it in quotes"]],
      [
        "Towpath's own variables",
        top("env: { TOWPATH_OUT: x }"),
        ["8:8: `TOWPATH_OUT`: names that begin with TOWPATH_ are Towpath's own"],
      ],
      [
        "a secret's value",
        top("secrets: [KEY]", "defaults: { env: { KEY: x } }"),
        ["9:20: `KEY` is a secret: its value comes from the worker's environment"],
      ],
      ["a secret twice", top("secrets: [KEY, KEY]"), ["8:16: this secret is listed twice"]],
      [
        "a secret's name",
        top("secrets: ['sk-123']"),
        ["8:11: a secret is named by its environment variable"],
      ],
      [
        "an absolute path",
        steps("- { id: a, run: x, working-directory: /tmp }"),
        ["7:45: `/tmp` is absolute: paths are relative"],
      ],
      [
        "a Windows path",
        steps("- { id: a, run: x, working-directory: 'C:\\x' }"),
        ["7:45: `C:\\x` is absolute: paths are relative"],
      ],
      [
        "a path that leads out",
        steps("- { id: a, run: x, report: ../r.xml }"),
        ["7:34: `../r.xml` leads out of its directory: `..` is not allowed"],
      ],
      [
        "a glob that leads out",
        steps("- { id: a, run: x, scope: { include: [src/**, a/../b] } }"),
        ["7:53: `a/../b` leads out of its directory: `..` is not allowed"],
      ],
      [
        "a glob that is none",
        steps("- { id: a, run: x, scope: { protect: ['src/[a'] } }"),
        [expect.stringMatching(/^7:45: `src\/\[a` is no glob: /)],
      ],
      [
        "a negated glob",
        steps("- { id: a, run: x, scope: { protect: ['!a'] } }"),
        ["7:45: `!a`: a pattern cannot be negated; list what is meant"],
      ],
      [
        "a negated exclude",
        top("workspace: { exclude: ['!a'] }"),
        ["8:24: `!a`: an exclude pattern cannot be negated"],
      ],
      [
        "an exclude that leads out",
        top("workspace: { exclude: ['../a'] }"),
        ["8:24: `../a` leads out of its directory: `..` is not allowed"],
      ],
    ])("%s", (_, text, expected) => {
      expect(problems(text)).toEqual(expected);
    });
  });

  describe("knows every name in expressions:", () => {
    const params = "params: { floor: { type: string, default: x } }\n";
    it.each([
      [
        "a parameter",
        specWith(params, "      - { id: a, run: 'x ${{ params.flor }}' }\n"),
        ["7:26: there is no parameter `flor`: there is floor (did you mean `params.floor`?)"],
      ],
      [
        "a name of no kind",
        steps("- { id: a, run: 'x ${{ foo.bar }}' }"),
        ["7:26: unknown name `foo.bar`: names begin with params, env, migration, attempt, steps"],
      ],
      [
        "a misspelt kind",
        steps("- { id: a, run: 'x ${{ parms.bar }}' }"),
        [
          "7:26: unknown name `parms.bar`: names begin with params, env, migration, attempt, steps (did you mean `params`?)",
        ],
      ],
      [
        "a fact",
        steps("- { id: a, run: 'x ${{ migration.nam }}' }"),
        [
          "7:26: unknown name `migration.nam`: there is migration.id, migration.name, migration.target (did you mean `migration.name`?)",
        ],
      ],
      [
        "a variable",
        steps("- { id: a, run: 'x ${{ env.PATH }}' }"),
        ["7:26: there is no variable `PATH`: the spec sets none here"],
      ],
      [
        "a secret",
        specWith("secrets: [KEY]\n", "      - { id: a, run: 'x ${{ env.KEY }}' }\n"),
        ["7:26: `KEY` is a secret: commands find it in their environment, texts never do"],
      ],
      [
        "secrets",
        steps("- { id: a, run: 'x ${{ secrets.KEY }}' }"),
        ["7:26: secrets stand in no expression: commands find them in their environment"],
      ],
      [
        "operators in a text",
        steps("- { id: a, run: 'x ${{ migration.id == migration.name }}' }"),
        ["7:26: only a name may stand here: operators belong into `if`"],
      ],
      [
        "an unclosed brace",
        steps("- { id: a, run: 'x ${{ migration.id' }"),
        ["7:26: `${{` is not closed by `}}`"],
      ],
      ["an empty one", steps("- { id: a, run: 'x ${{ }}' }"), ["7:26: the expression is empty"]],
      [
        "the second of two",
        steps("- id: a", "  run: |", "    echo ${{ migration.id }}", "    echo ${{ migration.di }}"),
        [
          "10:16: unknown name `migration.di`: there is migration.id, migration.name, migration.target (did you mean `migration.id`?)",
        ],
      ],
      [
        "feedback in a script",
        steps("- { id: a, run: 'x ${{ attempt.feedback }}' }"),
        ["7:26: `attempt.feedback` stands only in an agent's prompt"],
      ],
      [
        "feedback in an agent's command",
        steps("- { id: a, agent: { command: 'x ${{ attempt.feedback }}', prompt: p } }"),
        ["7:39: `attempt.feedback` stands only in an agent's prompt"],
      ],
      [
        "feedback in a commit message",
        steps("- { id: a, run: x, commit: 'c ${{ attempt.feedback }}' }"),
        ["7:37: `attempt.feedback` stands only in an agent's prompt"],
      ],
      [
        "an attempt in a condition",
        steps("- { id: a, run: x, if: attempt.number == 1 }"),
        ["7:30: `attempt.number` is not known here, only `params`, `env`, `migration`, `steps`"],
      ],
      [
        "an output in a gate",
        specWith("    gate: { run: 'x ${{ steps.a.outputs.b }}' }\n"),
        ["8:21: `steps.a.outputs.b` is not known here, only `params`, `env`, `migration`"],
      ],
      [
        "an output of no step",
        steps("- { id: build, run: x }", "- { id: b, run: 'x ${{ steps.buidl.outputs.v }}', needs: build }"),
        ["8:26: there is no step `buidl` (did you mean `build`?)"],
      ],
      [
        "an output of a step that may not be over",
        steps("- { id: a, run: x }", "- { id: b, run: 'x ${{ steps.a.outputs.v }}' }"),
        ["8:26: step `b` does not need `a`, so its outputs may not be there: add it to `needs`"],
      ],
      [
        "an output of its own",
        steps("- { id: a, run: 'x ${{ steps.a.outputs.v }}' }"),
        ["7:26: step `a` does not need `a`, so its outputs may not be there: add it to `needs`"],
      ],
      [
        "an output that is not declared",
        steps(
          "- { id: a, run: x, outputs: [version] }",
          "- { id: b, run: 'x ${{ steps.a.outputs.versoin }}', needs: a }",
        ),
        ["8:26: step `a` has no output `versoin` (did you mean `version`?)"],
      ],
      [
        "an output of the survey",
        steps("- { id: s, uses: survey }", "- { id: b, run: 'x ${{ steps.s.outputs.v }}', needs: s }"),
        ["8:26: `uses: survey` has no outputs"],
      ],
      [
        "half an output",
        steps("- { id: a, run: x }", "- { id: b, run: 'x ${{ steps.a.v }}', needs: a }"),
        ["8:26: an output is named `steps.<id>.outputs.<name>`"],
      ],
      [
        "a variable in a variable",
        top("env: { A: x, B: '${{ env.A }}' }"),
        ["8:18: `env.A` is not known here, only `params`, `migration`"],
      ],
      [
        "a place where nothing is replaced",
        steps("- { id: a, run: x, report: '${{ migration.id }}.xml' }"),
        ["7:35: `${{ }}` is not replaced here"],
      ],
      [
        "a place where it would be code",
        steps("- { id: a, run: 'eval ${{ migration.id }}' }"),
        [
          '7:29: `${{ migration.id }}` cannot stand here, where bash would not expand it or would take the value for code: set it as a variable in `env:` and write "$NAME"',
        ],
      ],
      [
        "a condition",
        specWith(params, "      - { id: a, run: x, if: \"params.floor == 'x' && params.flor\" }\n"),
        ["7:54: there is no parameter `flor`: there is floor (did you mean `params.floor`?)"],
      ],
      [
        "a condition that is none",
        steps("- { id: a, run: x, if: '${{ 1 == }}' }"),
        ["7:30: the expression ends where a value is expected"],
      ],
    ])("%s", (_, text, expected) => {
      expect(problems(text)).toEqual(expected);
    });

    it("follows needs over several steps and phases", () => {
      const text = specWith(
        "  verify:\n    steps: [{ id: c, needs: b, run: 'x ${{ steps.a.outputs.v }}' }]\n",
        "      - { id: a, run: x }\n      - { id: b, run: x, needs: a }\n",
      );
      expect(problems(text)).toEqual([]);
    });
  });

  it("reports all problems at once, in the order of the file, of shape and of meaning", () => {
    const text = specWith(
      "secrets: [KEY, KEY]\nbogus: 1\n",
      "      - { id: a, run: x, tiemout: 5m }\n      - { id: a, run: x, needs: zzz }\n      - { id: c }\n",
    );
    expect(problems(text)).toEqual([
      "7:26: unknown key `tiemout` (did you mean `timeout`?)",
      "8:15: there is already a step `a`: ids are unique over all phases",
      "8:33: there is no step `zzz`",
      "9:9: step `c` needs exactly one of `run`, `agent` and `uses`: it has none",
      "10:16: this secret is listed twice",
      "11:1: unknown key `bogus`",
    ]);
  });

  it("names the first 200 problems and counts the others", () => {
    const found = problems(top(...Array.from({ length: 250 }, (_, i) => `zzz${i}: 1`)));
    expect(found).toHaveLength(201);
    expect(found.at(-1)).toBe("208:1: … and 50 more problems from here on");
  });

  it("says nothing of a step whose action is misspelt but that", () => {
    expect(problems(steps("- { id: a, rnu: x }"))).toEqual(["7:18: unknown key `rnu` (did you mean `run`?)"]);
  });

  it("gives every problem a path", () => {
    const parsed = parseSpec(steps("- { id: a, run: x, retry: { backof: 1s } }"), { fileName: "f" });
    expect(parsed).toMatchObject({
      problems: [{ path: "phases.migrate.steps[0].retry.backof", line: 7, column: 35 }],
    });
  });

  it("never throws, whatever the bytes", () => {
    const bytes = fc.uint8Array({ maxLength: 400 }).map((raw) => new TextDecoder().decode(raw));
    fc.assert(
      fc.property(bytes, (text) => {
        expect(parseSpec(text, { fileName: "f.yaml" }).ok).toBeTypeOf("boolean");
      }),
    );
    fc.assert(
      fc.property(bytes, (text) => {
        expect(parseSpec(text, { fileName: "f.json" }).ok).toBeTypeOf("boolean");
      }),
    );
  });

  it("never throws on a spec with a part cut, doubled or replaced, and places every problem in the text", () => {
    const splice = fc.record({
      from: fc.nat(EXAMPLE.length),
      length: fc.nat(60),
      text: fc.oneof(
        fc.string({ unit: "binary", maxLength: 12 }),
        fc.constantFrom("${{", "}}", "&a ", "*a", "\t", "- ", ": ", "{", "]"),
      ),
    });
    fc.assert(
      fc.property(fc.array(splice, { minLength: 1, maxLength: 4 }), (edits) => {
        const text = edits.reduce(
          (now, edit) => now.slice(0, edit.from) + edit.text + now.slice(edit.from + edit.length),
          EXAMPLE,
        );
        const parsed = parseSpec(text, { fileName: "towpath.yaml" });
        if (parsed.ok) return;
        const lines = text.split("\n").length;
        expect(parsed.problems.length).toBeGreaterThan(0);
        for (const { line, column } of parsed.problems) {
          expect(line >= 1 && line <= lines && column >= 1).toBe(true);
        }
      }),
      { numRuns: 300 },
    );
  });

  it("never throws on arbitrary values in JSON", () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 6 }), (text) => {
        expect(parseSpec(text, { fileName: "f.json" }).ok).toBeTypeOf("boolean");
      }),
    );
  });

  it("reads a spec of thousands of steps in good time", () => {
    const many = Array.from(
      { length: 5_000 },
      (_, i) => `      - {id: s${i}, run: x, needs: s${Math.max(0, i - 1)}}\n`,
    );
    const text = specWith("", many.join("").replace("s0, run: x, needs: s0", "s0, run: x"));
    const started = performance.now();
    expect(problems(text)).toEqual([]);
    expect(performance.now() - started).toBeLessThan(10_000);
  });
});

describe("requireSpec", () => {
  it("throws one error that lists every problem with its place", () => {
    const text = steps("- { id: a, run: x, tiemout: 5m }", "- { id: b }");
    let thrown: unknown;
    try {
      requireSpec(text, { fileName: "towpath.yaml" });
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(TowpathError);
    expect(thrown).toMatchObject({
      type: "SpecInvalid",
      message:
        "The spec has 2 problems:\n" +
        "towpath.yaml:7:26: unknown key `tiemout` (did you mean `timeout`?)\n" +
        "towpath.yaml:8:9: step `b` needs exactly one of `run`, `agent` and `uses`: it has none",
      details: { file: "towpath.yaml", problems: [{ line: 7, suggestion: "timeout" }, { line: 8 }] },
    });
  });
});
