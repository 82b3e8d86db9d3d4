import { Ajv2020 } from "ajv/dist/2020.js";
import * as fc from "fast-check";
import { parse } from "yaml";
import { describe, expect, it } from "vitest";
import type { StepRecord } from "../../../src/model/manifest.js";
import { PHASES } from "../../../src/model/phases.js";
import { validatePlan } from "../../../src/model/plan.js";
import { canonicalJson, stepDefinition, stepInputs } from "../../../src/model/spec/definition.js";
import { specJsonSchema } from "../../../src/model/spec/json-schema.js";
import { needsOf, placedSteps, stepsInOrder } from "../../../src/model/spec/order.js";
import { requireSpec } from "../../../src/model/spec/parse.js";
import { projectPlan } from "../../../src/model/spec/plan-projection.js";
import {
  resolveBaseline,
  resolvePhase,
  resolvePhases,
  resolveStep,
  resolveSteps,
  resolveWorkspace,
} from "../../../src/model/spec/resolve.js";
import type { Spec } from "../../../src/model/spec/schema.js";
import { EXAMPLE, specWith } from "./example.js";

const example = requireSpec(EXAMPLE, { fileName: "towpath.yaml" });

function definition(step: string, rest = ""): string {
  return stepDefinition(read(specWith(rest, `      - ${step}\n`)), "a");
}

function record(status: StepRecord["status"], more: Partial<StepRecord> = {}): StepRecord {
  const times = { started_at: "", completed_at: "", duration_ms: 0 };
  return { phase: "migrate", status, attempts: 1, ...times, ...more };
}

function read(text: string): Spec {
  return requireSpec(text, { fileName: "towpath.yaml" });
}

/** Specs of many steps over all phases, each with needs among its own phase, or earlier ones. */
const anySpec = fc
  .array(
    fc.record({
      phase: fc.constantFrom(...PHASES),
      needs: fc.array(fc.nat(30), { maxLength: 4 }),
      rank: fc.nat(),
    }),
    {
      maxLength: 30,
    },
  )
  .map((drafts): Spec => {
    const phases: Spec["phases"] = {};
    const ids = drafts.map((_, index) => `s${index}`);
    const byRank = drafts
      .map((draft, index) => ({ ...draft, id: `s${index}` }))
      .sort((a, b) => a.rank - b.rank);
    for (const draft of byRank) {
      const earlier = draft.needs.filter(
        (index) =>
          index < Number(draft.id.slice(1)) &&
          PHASES.indexOf(drafts[index]?.phase ?? "verify") <= PHASES.indexOf(draft.phase),
      );
      const needs = [...new Set(earlier)].flatMap((index) => ids[index] ?? []);
      const phase = (phases[draft.phase] ??= {});
      phase.steps = [
        ...(phase.steps ?? []),
        { id: draft.id, run: "x", ...(needs.length > 0 ? { needs } : {}) },
      ];
    }
    return { version: 1, name: "n", target: "t", phases };
  });

describe("stepsInOrder", () => {
  it("follows the phases, and the file where needs leave it free", () => {
    expect(stepsInOrder(example)).toEqual(["survey", "two-to-three", "fix-failures", "full-suite"]);
  });

  it("puts a step right behind what it needs", () => {
    const steps = [
      "{ id: c, run: x, needs: b }",
      "{ id: a, run: x }",
      "{ id: b, run: x, needs: d }",
      "{ id: d, run: x }",
    ];
    expect(stepsInOrder(read(specWith("", steps.map((step) => `      - ${step}\n`).join(""))))).toEqual([
      "d",
      "b",
      "c",
      "a",
    ]);
  });

  it("names every step once, phase by phase, each behind all it needs, and the same every time", () => {
    fc.assert(
      fc.property(anySpec, (spec) => {
        const order = stepsInOrder(spec);
        const placed = placedSteps(spec);
        expect([...order].sort()).toEqual(placed.map(({ step }) => step.id).sort());
        const phaseOf = new Map(placed.map(({ step, phase }) => [step.id, PHASES.indexOf(phase)]));
        const phases = order.map((id) => phaseOf.get(id) ?? -1);
        expect(phases).toEqual([...phases].sort((a, b) => a - b));
        for (const { step } of placed) {
          for (const need of needsOf(step)) expect(order.indexOf(need)).toBeLessThan(order.indexOf(step.id));
        }
        expect(stepsInOrder(spec)).toEqual(order);
      }),
    );
  });

  it("keeps the order of the file where that is possible", () => {
    fc.assert(
      fc.property(anySpec, (spec) => {
        const file = placedSteps(spec).map(({ step }) => step.id);
        const fits = placedSteps(spec).every(({ step }) =>
          needsOf(step).every((need) => file.indexOf(need) < file.indexOf(step.id)),
        );
        fc.pre(fits);
        expect(stepsInOrder(spec)).toEqual(file);
      }),
    );
  });

  it("orders a chain of 10,000 steps that stands in the file backwards", () => {
    const steps = Array.from({ length: 10_000 }, (_, i) => ({
      id: `s${i}`,
      run: "x",
      needs: i < 9_999 ? [`s${i + 1}`] : [],
    }));
    const order = stepsInOrder({ version: 1, name: "n", target: "t", phases: { migrate: { steps } } });
    expect(order.slice(0, 2)).toEqual(["s9999", "s9998"]);
    expect(order).toHaveLength(10_000);
  });
});

describe("resolveStep", () => {
  it("applies the spec's defaults", () => {
    expect(resolveStep(example, "two-to-three")).toEqual({
      id: "two-to-three",
      phase: "migrate",
      name: "two-to-three",
      action: { kind: "run", script: "2to3 -w -n --no-diffs sqlparse tests" },
      needs: [],
      condition: null,
      env: {},
      workingDirectory: ".",
      timeoutMs: 600_000,
      idleTimeoutMs: 180_000,
      retry: { maxAttempts: 2, backoffMs: 5_000, feedback: false },
      verify: ["python -m compileall -q sqlparse"],
      commit: "refactor: 2to3",
      scope: { include: [], protect: [] },
      report: null,
      cleanIgnored: false,
      continueOnError: false,
      container: null,
      outputs: null,
    });
    expect(resolveStep(example, "fix-failures")).toMatchObject({
      action: { kind: "agent", command: "claude -p" },
      needs: ["two-to-three"],
      retry: { maxAttempts: 5, backoffMs: 5_000, feedback: true },
      scope: { include: ["sqlparse/**"], protect: ["tests/**"] },
      commit: "fix-failures",
    });
    expect(resolveStep(example, "survey").action).toEqual({ kind: "survey", ignore: [] });
  });

  it("has its own defaults below those", () => {
    const spec = read(
      specWith(
        "",
        "      - { id: a, run: x, name: Build it }\n      - { id: b, agent: { command: c, prompt: p } }\n",
      ),
    );
    expect(resolveStep(spec, "a")).toMatchObject({
      timeoutMs: 3_600_000,
      idleTimeoutMs: null,
      retry: { maxAttempts: 1, backoffMs: 5_000, feedback: false },
      commit: "Build it",
    });
    expect(resolveStep(spec, "b")).toMatchObject({ idleTimeoutMs: 600_000, retry: { feedback: true } });
  });

  it("lets the step's environment win over the defaults' and theirs over the spec's", () => {
    const spec = read(
      specWith(
        "env: { A: 1, B: 1, C: 1 }\ndefaults: { env: { B: 2, C: 2 } }\n",
        "      - { id: a, run: x, env: { C: 3, D: true } }\n",
      ),
    );
    expect(resolveStep(spec, "a").env).toEqual({ A: "1", B: "2", C: "3", D: "true" });
  });

  it("throws for a step that is not there", () => {
    expect(() => resolveStep(example, "nope")).toThrow("The spec has no step `nope`.");
  });

  it("gives plain JSON", () => {
    for (const step of resolveSteps(example)) expect(JSON.parse(JSON.stringify(step))).toEqual(step);
  });
});

describe("the rest of a spec", () => {
  it("has a workspace and a baseline with defaults", () => {
    expect(resolveWorkspace(example)).toEqual({
      base: "main",
      setup: "python -m pip install -r dev.txt",
      exclude: [".venv/"],
      timeoutMs: 600_000,
      idleTimeoutMs: 180_000,
    });
    expect(resolveBaseline(example)).toMatchObject({
      report: "baseline.xml",
      timeoutMs: 600_000,
      workingDirectory: ".",
    });
    expect(resolveBaseline(read(specWith("")))).toBeNull();
  });

  it("has all phases, mentioned or not, with their gates", () => {
    expect(resolvePhases(read(specWith(""))).map(({ phase }) => phase)).toEqual([...PHASES]);
    expect(resolvePhase(example, "guardrail")).toEqual({
      phase: "guardrail",
      stepIds: [],
      gate: {
        tests: null,
        ratchet: [],
        run: [],
        approval: { required: 1, timeoutMs: 604_800_000, onTimeout: "reject" },
      },
      manual: false,
      features: "from-baseline",
    });
    expect(resolvePhase(example, "verify").gate).toEqual({
      tests: { identity: "classname-and-name", allow: [], newlySkipped: "refuse" },
      ratchet: [{ name: "py2-idioms", script: "./count-idioms.sh", max: 0 }],
      run: [],
      approval: { required: 1, timeoutMs: null, onTimeout: "pause" },
    });
  });
});

describe("stepDefinition", () => {
  const base = definition("{ id: a, run: x, verify: [y], env: { A: b, C: d } }");

  it.each([
    ["the order of keys", "{ env: { C: d, A: b }, verify: [y], run: x, id: a }", ""],
    [
      "timeouts and retries",
      "{ id: a, run: x, verify: y, env: { A: b, C: d }, timeout: 5m, retry: { max-attempts: 9 } }",
      "defaults: { timeout: 3m }\n",
    ],
    ["where a variable is set", "{ id: a, run: x, verify: y, env: { A: b } }", "env: { C: d }\n"],
    [
      "other steps",
      "{ id: a, run: x, verify: y, env: { A: b, C: d } }",
      "  verify: { steps: [{ id: z, run: z }] }\n",
    ],
  ])("is the same with another %s", (_, step, rest) => {
    expect(stepDefinition(read(specWith(rest, `      - ${step}\n`)), "a")).toBe(base);
  });

  it.each([
    ["script", "{ id: a, run: x2, verify: y, env: { A: b, C: d } }", ""],
    ["verification", "{ id: a, run: x, verify: y2, env: { A: b, C: d } }", ""],
    ["environment", "{ id: a, run: x, verify: y, env: { A: b2, C: d } }", ""],
    ["scope", "{ id: a, run: x, verify: y, env: { A: b, C: d }, scope: { protect: [t] } }", ""],
    ["message", "{ id: a, run: x, verify: y, env: { A: b, C: d }, commit: m }", ""],
    ["condition", "{ id: a, run: x, verify: y, env: { A: b, C: d }, if: 'true' }", ""],
    ["exclude", "{ id: a, run: x, verify: y, env: { A: b, C: d } }", "workspace: { exclude: [e] }\n"],
  ])("is another with another %s", (_, step, rest) => {
    expect(definition(step, rest)).not.toBe(base);
  });

  it("comes from JSON that is the same for equal values", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (value) => {
        const turned = Object.fromEntries(Object.entries(value).reverse());
        const text = canonicalJson(JSON.parse(JSON.stringify(value)));
        expect(canonicalJson(JSON.parse(JSON.stringify(turned)))).toBe(text);
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });
});

describe("stepInputs", () => {
  it("holds what the step refers to and nothing else", () => {
    const spec = read(
      specWith(
        "params: { p: { type: string, default: d }, q: { type: string, default: d } }\n",
        "      - { id: z, run: x }\n      - { id: a, needs: z, if: \"params.p == 'v'\", run: 'x ${{ steps.z.outputs.o }} ${{ attempt.number }}' }\n",
      ),
    );
    const scope = {
      params: { p: "v", q: "w" },
      env: {},
      migration: { id: "i", name: "n", target: "t" },
      outputs: { z: { o: "1" } },
    };
    expect(stepInputs(resolveStep(spec, "a"), scope)).toBe('{"params.p":"v","steps.z.outputs.o":"1"}');
  });
});

describe("projectPlan", () => {
  it("is the plan of the predecessor's format, with the steps of migrate", () => {
    const plan = projectPlan(example, { "two-to-three": record("completed"), survey: record("completed") });
    expect(plan).toMatchObject({
      version: 1,
      strategy: "incremental",
      constraints: ["unchanged: tests/**"],
      rollback_strategy: "checkpoint",
      exit_criteria: { "no-new-failures": true, ratchet: { "py2-idioms": 0 }, approvals: 1 },
      steps: [
        {
          id: "two-to-three",
          type: "run",
          status: "completed",
          tests_required: ["python -m compileall -q sqlparse"],
        },
        {
          id: "fix-failures",
          type: "agent",
          status: "pending",
          files: ["sqlparse/**"],
          depends_on: ["two-to-three"],
          assigned_agent: "claude",
        },
      ],
    });
    expect(validatePlan(JSON.stringify(plan))).toEqual({ ok: true, value: plan });
  });

  it("names no dependency that is not in the plan, and orders the steps as they run", () => {
    fc.assert(
      fc.property(anySpec, (spec) => {
        const plan = projectPlan(spec);
        expect(validatePlan(JSON.stringify(plan)).ok).toBe(true);
        const ids = new Set(plan.steps.map(({ id }) => id));
        expect(plan.steps.map(({ id }) => id)).toEqual(stepsInOrder(spec).filter((id) => ids.has(id)));
      }),
    );
  });

  it.each([
    [record("failed"), { status: "failed" }],
    [record("in_progress"), { status: "in_progress" }],
    [record("failed", { tolerated: true }), { status: "completed", tolerated: true }],
    [
      record("failed", { skipped: { reason: "not needed", by: "ann", at: "" } }),
      { status: "completed", skipped: "not needed" },
    ],
  ])("shows a step by its record (%#)", (given, expected) => {
    expect(projectPlan(example, { "two-to-three": given }).steps[0]).toMatchObject(expected);
  });
});

describe("specJsonSchema", () => {
  const validate = new Ajv2020({ strict: true, strictRequired: false, allowUnionTypes: true }).compile(
    specJsonSchema(),
  );
  const valid = (text: string): boolean => validate(parse(text));

  it("takes the documented example", () => {
    expect(valid(EXAMPLE)).toBe(true);
  });

  it.each([
    ["an unknown key", specWith("bogus: 1\n")],
    ["a wrong duration", specWith("defaults: { timeout: 10 minutes }\n")],
    ["a wrong id", specWith("", "      - { id: a.b, run: x }\n")],
    ["a step with two actions", specWith("", "      - { id: a, run: x, uses: survey }\n")],
    ["a step with none", specWith("", "      - { id: a }\n")],
    ["no target", specWith("").replace("target: t\n", "")],
    ["a container on the host's network", specWith("defaults: { container: { image: x, network: host } }\n")],
  ])("refuses %s", (_, text) => {
    expect(valid(text)).toBe(false);
  });

  it("is plain JSON of draft 2020-12 with descriptions for editors", () => {
    const text = JSON.stringify(specJsonSchema());
    expect(text).toContain("https://json-schema.org/draft/2020-12/schema");
    expect(text).toContain("Exactly one of".toLowerCase());
    expect(text.match(/"description"/g)?.length).toBeGreaterThan(40);
  });
});
