import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { hintFor } from "../../src/client/hints.js";
import { createRepository, temporaryDirectory } from "../support/repository.js";
import { runUnreachable } from "../support/unreachable.js";

const SPEC = `version: 1
name: letters
target: next
params:
  floor: { type: choice, options: ["1", "2"], default: "2" }
phases:
  guardrail:
    features: [{ id: stands, description: it is there, test: test -e a.txt }]
  migrate:
    steps: [{ id: change, run: "true" }]
`;

const cleanups: (() => Promise<void>)[] = [];
let directory: string;

beforeAll(async () => {
  directory = await temporaryDirectory(cleanups);
  await createRepository(join(directory, "project"), { "a.txt": "a\n", "towpath.yaml": SPEC });
  await createRepository(join(directory, "bare"), { "a.txt": "a\n" });
  await mkdir(join(directory, "nowhere"));
  await writeFile(
    join(directory, "project", "bad.yaml"),
    SPEC.replace('run: "true"', 'run: "true", scoep: {}'),
  );
});
afterAll(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** One command line below `directory`, on a machine where no Temporal can be reached. */
async function towpath(
  cwd: string,
  ...argv: string[]
): Promise<{ code: number; text: string; json: unknown }> {
  const machine = {
    dataDir: join(directory, "data"),
    cwd: join(directory, cwd),
    columns: 80,
    env: { PATH: process.env.PATH },
  };
  const run = (more: readonly string[]) => runUnreachable(machine, [...argv, ...more]);
  const { code, stdout, stderr } = await run([]);
  const asJson = await run(["--json"]);
  expect(asJson.code).toBe(code);
  return { code, text: stderr === "" ? stdout : stderr, json: JSON.parse(asJson.stdout) };
}

/** Where, which command, how it ends, the cause, and what to do about it. */
type Row = readonly [cwd: string, command: string, code: number, cause: RegExp, cure: RegExp];

const ROWS: readonly Row[] = [
  [
    "project",
    "status",
    2,
    /missing required argument 'migration'/,
    /Usage: towpath status \[options\] <migration>/,
  ],
  ["project", "stauts @latest", 2, /unknown command 'stauts'/, /Did you mean status/],
  ["project", "start --sepc x", 2, /unknown option '--sepc'/, /Did you mean --spec/],
  ["project", "status mig_nothing --local", 3, /Migration not found: mig_nothing/, /towpath list/],
  ["project", "status a/b", 2, /Invalid migration id 'a\/b'/, /@latest/],
  ["project", "status @latest", 6, /Temporal.*127\.0\.0\.1:1/, /towpath doctor|TEMPORAL_ADDRESS/],
  ["project", "start", 4, /nobody has agreed to that for .*project/, /--allow-host/],
  ["project", "start --dry-run --param floor=3", 2, /Parameters do not fit the spec: .*floor/, /1.*2/],
  ["project", "start --dry-run --param floor", 2, /--param 'floor'/, /name=value/],
  ["project", "start --dry-run --spec gone.yaml", 2, /There is no spec at gone\.yaml/, /name one/],
  ["project", "start --dry-run --spec bad.yaml", 2, /The spec has \d+ problems?/, /did you mean `scope`/],
  ["project", "start --dry-run --target other", 2, /--target other contradicts the spec/, /Leave it out/],
  ["project", "validate bad.yaml", 2, /bad\.yaml:10:\d+: unknown key `scoep`/, /did you mean `scope`/],
  ["bare", "start", 2, /There is no towpath\.yaml/, /towpath init/],
  ["bare", "init", 2, /says nowhere how it is tested/, /write a test/],
  ["bare", "validate", 2, /There is no spec at towpath\.yaml/, /name one/],
  ["nowhere", "start --target x", 2, /nowhere.* git repository/, /git init/],
  ["nowhere", "start gone --target x", 2, /gone/, /give the .*directory/],
  ["project", "skip @latest change --yes", 2, /--reason: say why/, /towpath skip --help/],
  ["project", "skip @latest change --reason x", 2, /Nobody can be asked whether to skip the step/, /--yes/],
  ["project", "rollback @latest a/b --yes", 2, /Invalid step_id 'a\/b'/, /towpath plan/],
  ["project", "prd show", 3, /has no requirements document/, /next start generates one/],
  ["project", "image refresh A:B:C", 2, /'A:B:C' is no image reference/, /lower case|name/i],
  ["project", "approve @latest --tree xyz", 2, /--tree: expected a tree's id/, /first 7 characters/],
];

describe("an error at a terminal", () => {
  it.each(ROWS)("in %s of `towpath %s` has code %i, the cause first, then what to do", async (...row) => {
    const [cwd, command, code, cause, cure] = row;
    const answer = await towpath(cwd, ...command.split(" "));
    const { text } = answer;
    expect({ code: answer.code, text }).toMatchObject({ code });
    expect(text.split("\n")[0]).toMatch(cause);
    expect(text.search(cure)).toBeGreaterThanOrEqual(text.search(cause));
    expect(text).not.toMatch(/\n\s+at |undefined|\[object/);
    expect(answer.json).toBeTypeOf("object");
  });

  it("gets no second advice where its message names a command", () => {
    expect(hintFor({ type: "WrongStatus", message: "See: towpath status mig_1" })).toBeNull();
    expect(hintFor({ type: "WrongStatus", message: "It is over" })).toContain("towpath status");
    expect(hintFor({ type: "constructor", message: "odd" })).toBeNull();
  });
});
