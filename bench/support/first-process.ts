import { on } from "node:events";
import { watch } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Home } from "./home.js";

const SPEC = `version: 1
name: first
target: next
phases:
  understand:
    steps: [{ id: first, run: "date +%s%N > $TOWPATH_DIR/../../started" }]
  migrate:
    steps: [{ id: second, run: "true" }]
`;

/** Time from `towpath start` as a process to the first step's own process, in ms. */
export async function firstProcess(home: Home, project: string): Promise<number> {
  const spec = join(home.directory, "first.yaml");
  await writeFile(spec, SPEC);
  const noted = firstLine(home.dataDir, "started");
  const begunMs = Date.now();
  const id = await home.start(project, "--spec", spec);
  const startedNs = BigInt(await noted);
  await home.run("stop", id, "--yes");
  return Number(startedNs / 1_000_000n) - begunMs;
}

/** The first line of a file that is about to be made. */
async function firstLine(directory: string, name: string): Promise<string> {
  const watcher = watch(directory);
  const changes = on(watcher, "change");
  try {
    for (;;) {
      const text = await readFile(join(directory, name), "utf8").catch(() => "");
      const end = text.indexOf("\n");
      if (end !== -1) return text.slice(0, end);
      await changes.next();
    }
  } finally {
    watcher.close();
  }
}
