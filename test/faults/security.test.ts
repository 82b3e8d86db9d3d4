import { readFile, rm, writeFile, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import * as contract from "../../src/workflows/migration.contract.js";
import { type Home, makeHome } from "../support/cli.js";
import { cleanUp, specWith, TRIVIAL_GUARDRAIL, workbench } from "../support/migrations.js";
import { temporaryDirectory } from "../support/repository.js";
import { checkInvariants, userSide } from "./invariants.js";
import { waitsFor } from "./support/waiting.js";

const cleanups: (() => Promise<void>)[] = [];
afterEach(() => cleanUp(cleanups));

describe("a step that plants links out of its worktree", () => {
  it("changes nothing there, whether it is undone, committed or retried", async () => {
    const outside = await temporaryDirectory(cleanups);
    await mkdir(join(outside, "many"));
    for (const name of ["precious.txt", "many/one.txt", "app.txt"])
      await writeFile(join(outside, name), "precious");
    const bench = await workbench(cleanups, {
      "src/app.txt": "old\n",
      "src/deep/file.txt": "old\n",
      ".gitignore": "cache\n",
    });
    const scene = { ...bench, before: await userSide(bench.repository) };
    const handle = await bench.start(
      specWith(`${TRIVIAL_GUARDRAIL}
  migrate:
    steps:
      - id: planted
        clean: all
        run: |
          rm -r src
          ln -s ${outside} src
          ln -s ${outside} cache
          ln -s ${outside}/many deep
          rm -rf "$TOWPATH_OUT"
          ln -s ${outside} "$TOWPATH_OUT"
          exit 1
        retry: { max-attempts: 2, backoff: 1ms }
      - id: committed
        needs: [planted]
        run: "rm -r src/deep && ln -s ${outside} src/deep && ln -s /etc/passwd src/passwd"
      - id: through
        needs: [committed]
        run: "rm src/deep && mkdir src/deep && echo new > src/deep/file.txt && exit 1"
`),
    );
    await waitsFor(handle, "step-failed");
    await handle.executeUpdate(contract.skip, { args: [{ step: "planted", reason: "test", by: "ada" }] });
    await expect
      .poll(async () => (await handle.query(contract.progress)).waiting?.step, { timeout: 600_000 })
      .toBe("through");
    await handle.executeUpdate(contract.skip, { args: [{ step: "through", reason: "test", by: "ada" }] });
    await expect(handle.result()).resolves.toMatchObject({ status: "completed" });
    for (const name of ["precious.txt", "many/one.txt", "app.txt"]) {
      expect(await readFile(join(outside, name), "utf8")).toBe("precious");
    }
    await checkInvariants(scene, handle);
    const tree = await bench.repository.git("ls-tree", "-r", `towpath/${handle.workflowId}`, "src/");
    expect(tree).toMatch(/^120000 blob .*\tsrc\/deep$/m);
    await rm(outside, { recursive: true, force: true });
  }, 900_000);
});

function step(fields: string): string {
  return specWith(`${TRIVIAL_GUARDRAIL}\n  migrate:\n    steps:\n      - { ${fields} }\n`);
}

/** Whether a terminal would take something in a text for a command. */
function controls(text: string): boolean {
  return Array.from({ length: text.length }, (_, n) => text.charCodeAt(n)).some(
    (code) => (code < 32 && code !== 9 && code !== 10) || (code >= 127 && code < 160),
  );
}

describe("the command line", () => {
  let home: Home;
  beforeAll(async () => {
    home = await makeHome("own");
  });
  afterAll(() => home.remove());

  const PLACES = [
    "../../etc/passwd",
    "/etc/passwd",
    "..",
    "mig_20260101_120000_../x",
    "mig_20260101_120000_a\n",
    "",
  ];
  const OPTIONS = ["--upload-pack=touch /tmp/x", "-rf", "--output=/etc/passwd", "--end-of-options"];

  it.each([...PLACES, ...OPTIONS])("refuses %j for a migration's id", async (id) => {
    for (const command of ["status", "logs", "plan", "gates"]) {
      const answer = await home.run([command, "--local", "--", id]).catch(() => null);
      expect([2, 3]).toContain(answer?.code);
    }
  });

  const BOMB = `version: 1
name: bomb
target: next
x: &x [x, x, x, x, x, x, x, x, x]
${["a", "b", "c", "d", "e", "f", "g", "h", "i"]
  .map((name, n, all) => `${name}: &${name} [${`*${n === 0 ? "x" : (all[n - 1] ?? "")}, `.repeat(9)}]`)
  .join("\n")}
phases: { migrate: { steps: *i } }
`;

  const SPECS: Record<string, string> = {
    "a YAML bomb": BOMB,
    "an alias of itself": "version: 1\nname: &a [*a]\ntarget: next\n",
    "100,000 brackets": `version: 1\nname: ${"[".repeat(100_000)}`,
    "a tag that makes objects": "version: 1\nname: !!js/function 'process.exit()'\ntarget: next\n",
    "a step id with a path": step('id: "../../x", run: "true"'),
    "a step id like an option": step('id: "--force", run: "true", needs: ["-x"]'),
    "a step id of the prototype": step('id: "__proto__", run: "true"'),
    "a step id with a control character": step('id: "a\\u001b[2J", run: "true"'),
    "a working directory outside": step('id: a, run: "true", working-directory: "../.."'),
    "an absolute working directory": step('id: a, run: "true", working-directory: "/etc"'),
    "a report outside": step('id: a, run: "true", report: "../../../report.xml"'),
  };

  it.each(Object.entries(SPECS))(
    "refuses a spec with %s, quickly and without control characters",
    async (_, text) => {
      const directory = await temporaryDirectory(cleanups);
      const path = join(directory, "towpath.yaml");
      await writeFile(path, text);
      const begin = performance.now();
      const answer = await home.run(["validate", path]);
      expect([answer.code, answer.stdout + answer.stderr]).toEqual([2, expect.any(String)]);
      expect(performance.now() - begin).toBeLessThan(60_000);
      expect(controls(answer.stdout + answer.stderr)).toBe(false);
    },
    300_000,
  );
});
