import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import * as contract from "../../src/workflows/migration.contract.js";
import { cleanUp, specWith, TRIVIAL_GUARDRAIL, workbench } from "../support/migrations.js";

const cleanups: (() => Promise<void>)[] = [];
afterEach(() => cleanUp(cleanups));

describe("the built-in survey", () => {
  it("documents the tracked files of the project alone, commits nothing, and opens the first gate", async () => {
    const bench = await workbench(cleanups, {
      "lib/package.json": '{ "name": "lib", "scripts": { "test": "node test.js" } }',
      "lib/src/core.js": "export const core = 1;\n",
      "lib/src/user.js": 'import { core } from "./core.js";\nexport const twice = core * 2;\n',
      "other/outside.py": "print('not surveyed')\n",
    });
    await bench.repository.write({ "lib/src/untracked.js": "export {};\n" });
    const handle = await bench.start(
      specWith(`${TRIVIAL_GUARDRAIL}
  migrate: { steps: [{ id: nothing, run: "test -f package.json" }] }
`),
      { source: join(bench.repository.path, "lib") },
    );
    const result = await handle.result();
    expect(result.status).toBe("completed");
    const { docs, seams } = bench.store.paths(handle.workflowId);
    const overview = await readFile(join(docs, "overview.md"), "utf8");
    expect(overview).toContain("JavaScript");
    expect(overview).not.toContain("Python");
    expect(await readFile(join(docs, "tests.md"), "utf8")).toContain("npm test");
    expect(JSON.parse(await readFile(seams, "utf8"))).toBeInstanceOf(Array);
    expect(await bench.repository.git("log", "--format=%s", `main..${result.branch}`)).toBe("");
    expect(await handle.query(contract.plan)).toMatchObject({ completed: 2, total: 2 });
  });
});
