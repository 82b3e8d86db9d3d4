import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { nodeEntry } from "../../../src/adapters/installation/node-entry.js";

const run = promisify(execFile);
const file = (path: string) => fileURLToPath(new URL(`../../../${path}`, import.meta.url));

const DOWNLOAD = new URL("../../../src/adapters/temporal/download-main.js", import.meta.url);

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "towpath-node-entry-"));
});
afterEach(() => rm(directory, { recursive: true }));

const put = (name: string, text: string) => writeFile(join(directory, name), text);

describe("the command of one of our own modules", () => {
  it("runs its source where nothing was built, from any directory", async () => {
    const { command, args } = nodeEntry(DOWNLOAD);
    await expect(run(command, [...args], { cwd: directory })).rejects.toThrow(
      "usage: download-main <directory> <version>",
    );
  });

  // Vitest loads it with less around it than it loads tests with: no `import.meta.resolve`.
  it("is the same in a set-up of Vitest, such as that of these tests", async () => {
    const answer = join(directory, "answer.json");
    await put("vitest.config.mjs", 'export default { test: { globals: true, globalSetup: "./setup.mjs" } };');
    await put("any.test.mjs", 'it("runs", () => expect(1).toBe(1));');
    await put(
      "setup.mjs",
      `import { writeFileSync } from "node:fs";
       import { nodeEntry } from ${JSON.stringify(file("src/adapters/installation/node-entry.ts"))};
       export default function setup() {
         const entry = nodeEntry(new URL(${JSON.stringify(DOWNLOAD.href)}));
         writeFileSync(${JSON.stringify(answer)}, JSON.stringify(entry));
       }`,
    );
    await run(process.execPath, [file("node_modules/vitest/vitest.mjs"), "run"], { cwd: directory });
    expect(JSON.parse(await readFile(answer, "utf8"))).toEqual(nodeEntry(DOWNLOAD));
  });
});
