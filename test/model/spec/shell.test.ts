import { execFile } from "node:child_process";
import { mkdtemp, readdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import * as fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import type { ExpressionScope } from "../../../src/model/spec/references.js";
import { renderScript, unsafeHoles } from "../../../src/model/spec/shell.js";

const run = promisify(execFile);

function scope(x: string): ExpressionScope {
  return { params: { x }, env: {}, migration: { id: "mig", name: "n", target: "t" }, outputs: {} };
}

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "towpath-shell-"));
});

/** Each value's script in a shell of its own; all from one small shell, because that starts them faster than Node does. */
const DRIVER = `
for ((i = 0; i < COUNT; i++)); do
  value="VALUE_$i"
  TOWPATH_EXPR_0="\${!value}" bash -e -o pipefail -c "$SCRIPT"
  printf '\\0'
done`;

/** What the script prints for each value, run as Towpath runs it, in a directory where a canary would show. */
async function bash(template: string, values: readonly string[]): Promise<string[]> {
  const { script } = renderScript(template, scope("not used"));
  const { stdout } = await run("bash", ["-c", DRIVER], {
    cwd: directory,
    env: {
      PATH: process.env["PATH"] ?? "",
      SCRIPT: script,
      COUNT: String(values.length),
      ...Object.fromEntries(values.map((value, index) => [`VALUE_${index}`, value])),
    },
  });
  expect(await readdir(directory), "a value was run as code").toEqual([]);
  return stdout.split("\0").slice(0, -1);
}

const HOSTILE = [
  "plain",
  "",
  "two words",
  "  spaces  around  ",
  "*",
  "~",
  "$(touch canary)",
  "`touch canary`",
  "; touch canary;",
  "' ; touch canary; '",
  '" ; touch canary; "',
  "a[$(touch canary)]",
  "$HOME ${PATH} $((1+1))",
  "line one\nEND\ntouch canary\n",
  "\\",
  "\\'\"",
  "&& touch canary",
  "> canary",
  "${{ params.x }}",
  "!(x) {a,b} [z] ?",
  "ünï 🙂",
];

/** Each prints the value and nothing else. */
const PLACES: Record<string, string> = {
  "a bare word": "printf %s ${{ params.x }}",
  "double quotes": 'printf %s "${{ params.x }}"',
  "single quotes": "printf %s '${{ params.x }}'",
  "a word with other text": 'v=a${{ params.x }}b; v=${v#a}; printf %s "${v%b}"',
  "double quotes with other text": 'v="a ${{ params.x }} b"; v=${v#a }; printf %s "${v% b}"',
  "an assignment": 'v=${{ params.x }}\nprintf %s "$v"',
  "a command substitution": 'v=$(printf "%sE" ${{ params.x }}); printf %s "${v%E}"',
  "quotes in a command substitution in quotes": 'v="$(printf "%sE" "${{ params.x }}")"; printf %s "${v%E}"',
  "single quotes in a substitution in quotes":
    "v=\"$(printf '%sE' '${{ params.x }}')\"; printf %s \"${v%E}\"",
  "a subshell": "(printf %s ${{ params.x }})",
  "a function": 'f() { printf %s "$1"; }\nf ${{ params.x }}',
  "a loop": 'for v in ${{ params.x }}; do printf %s "$v"; done',
  "a case behind a pattern": "case x in\n  x) printf %s ${{ params.x }} ;;\nesac",
  "a case in a substitution": 'v=$(case x in x) printf "%sE" "${{ params.x }}";; esac); printf %s "${v%E}"',
  "a line behind a comment with an apostrophe": "# don't\nprintf %s ${{ params.x }}",
  "a comment and a line": "# it's ${{ params.x }} here\nprintf %s ${{ params.x }}",
  "a word with a hash": "printf %s a#b > /dev/null; printf %s ${{ params.x }}",
  "an argument count": '[ $# = 0 ]; set -- ${{ params.x }}; [ $# = 1 ]; printf %s "$1"',
  "a pipe": "printf %s ${{ params.x }} | cat",
  "a quote escaped before it": "printf '' \\' ; printf %s ${{ params.x }}",
  "a quote escaped in quotes": 'printf "" "\\""; printf %s ${{ params.x }}',
  "text behind ANSI quotes": "printf '' $'it\\'s'; printf %s ${{ params.x }}",
  "text behind an expansion with a quote":
    'v=; printf %s "${v:-"a"}" > /dev/null; printf %s "${{ params.x }}"',
  "text behind arithmetic": 'v=$(( (1 + 2) * 3 )); printf %s "${{ params.x }}"',
  "text behind backticks": 'v=`echo "a"`; printf %s "${{ params.x }}"',
  "text behind a quoted here-document": "cat <<'EOF' > /dev/null\nit's \"\n`\nEOF\nprintf %s ${{ params.x }}",
  "text behind an indented here-document": "cat <<-EOF > /dev/null\n\tit's\n\tEOF\nprintf %s ${{ params.x }}",
  "text behind a here-string": "cat <<< x > /dev/null; printf %s ${{ params.x }}",
};

const HOLE = "${{ params.x }}";

describe("renderScript", () => {
  it.each(Object.entries(PLACES))("keeps any value one piece of data in %s", async (_, template) => {
    expect(unsafeHoles(template)).toEqual([]);
    expect(await bash(template, HOSTILE)).toEqual(HOSTILE);
  });

  it("fills an unquoted here-document", async () => {
    const filled = HOSTILE.map((value) => `it's "${value}"\n`);
    expect(await bash('cat <<EOF\nit\'s "${{ params.x }}"\nEOF\n', HOSTILE)).toEqual(filled);
  });

  it("keeps arbitrary values whole, in every kind of quotes at once", async () => {
    const template = "printf '%s|%s|%s' ${{ params.x }} \"${{ params.x }}\" '${{ params.x }}'";
    const value = fc.string({ unit: "binary", maxLength: 60 }).filter((text) => !text.includes("\0"));
    await fc.assert(
      fc.asyncProperty(fc.array(value, { maxLength: 100, size: "max" }), async (values) => {
        const tripled = values.map((text) => `${text}|${text}|${text}`);
        expect(await bash(template, values)).toEqual(tripled);
      }),
      { numRuns: 4 },
    );
  });

  it("puts no character of a value into the script, whatever the script", () => {
    const pieces = fc.constantFrom(
      ..."'\"`$(){}[]<>|&;#\\\n ".split(""),
      HOLE,
      "<<EOF",
      "EOF\n",
      "$((",
      "case x in",
      "[[ ",
      "word",
    );
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 30 }), (parts) => {
        const template = parts.join("");
        // Put together by chance, and refused as not closed.
        if (template.split(HOLE).some((text) => text.includes("${{"))) return;
        if (unsafeHoles(template).length > 0) return;
        const { script, env } = renderScript(template, scope("CANARY"));
        expect(script).not.toContain("CANARY");
        expect(Object.values(env).every((value) => value === "CANARY")).toBe(true);
      }),
    );
  });

  it("gives one variable to one name, and none to a script without names", () => {
    const { script, env } = renderScript(
      "a ${{ params.x }} ${{ migration.id }} ${{params.x}} ${{ '}}' }}",
      scope("v"),
    );
    expect(script).toBe('a "${TOWPATH_EXPR_0}" "${TOWPATH_EXPR_1}" "${TOWPATH_EXPR_0}" "${TOWPATH_EXPR_2}"');
    expect(env).toEqual({ TOWPATH_EXPR_0: "v", TOWPATH_EXPR_1: "mig", TOWPATH_EXPR_2: "}}" });
    expect(renderScript("echo ${x} $(( 1 ))", scope("v"))).toEqual({ script: "echo ${x} $(( 1 ))", env: {} });
  });
});

describe("unsafeHoles", () => {
  it.each([
    ["arithmetic", "echo $(( ${{ params.x }} + 1 ))"],
    ["an arithmetic command", "((i = ${{ params.x }}))"],
    ["an arithmetic for", "for ((i=0; i<${{ params.x }}; i++)); do :; done"],
    ["old arithmetic", "echo $[ ${{ params.x }} ]"],
    ["a quoted here-document", "cat <<'EOF'\n${{ params.x }}\nEOF"],
    ["a here-document with an escaped delimiter", "cat <<\\EOF\n${{ params.x }}\nEOF"],
    ["ANSI quotes", "echo $'${{ params.x }}'"],
    ["backticks", "echo `echo ${{ params.x }}`"],
    ["an expansion", "echo ${v:-${{ params.x }}}"],
    ["an escaped dollar", "echo \\${{ params.x }}"],
    ["eval", 'eval "${{ params.x }}"'],
    ["eval behind other commands", "set -x; FOO=1 eval ${{ params.x }}"],
    ["let", "let i=${{ params.x }}"],
    ["a shell's own script", 'bash -c "echo ${{ params.x }}"'],
    ["a shell's own script with options", "/bin/sh -ec 'echo ${{ params.x }}'"],
    ["a numeric test", "[[ ${{ params.x }} -eq 1 ]]"],
    ["a quoted numeric test", '[[ 1 -lt "${{ params.x }}" ]]'],
    ["a subscript", "a[${{ params.x }}]=1"],
    ["a quoted subscript", 'a["${{ params.x }}"]=1'],
    ["an integer declaration", "declare -i n=${{ params.x }}"],
    ["a test for a variable", "[[ -v ${{ params.x }} ]]"],
    ["printf into a variable", "printf -v ${{ params.x }} 1"],
  ])("refuses %s", (_, script) => {
    expect(unsafeHoles(script)).toHaveLength(1);
    expect(() => renderScript(script, scope("1"))).toThrow(/set it as a variable/);
  });

  it.each([
    'if [ "${{ params.x }}" = 1 ]; then :; fi',
    "[[ ${{ params.x }} == yes ]]",
    'grep -e "[a]" ${{ params.x }}',
    "[[ $n -eq 1 ]] && echo ${{ params.x }}",
    "bash script.sh ${{ params.x }}",
    "while read -r l; do echo; done < ${{ params.x }}",
    "evaluate ${{ params.x }}",
  ])("accepts %s", (script) => {
    expect(unsafeHoles(script)).toEqual([]);
  });
});
