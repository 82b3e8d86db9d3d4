import { readFile, writeFile } from "node:fs/promises";
import { watch } from "node:fs";
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
  const appeared = fileAppears(home.dataDir, "started");
  const begunMs = Date.now();
  const id = await home.start(project, "--spec", spec);
  await appeared;
  const startedNs = BigInt((await readFile(join(home.dataDir, "started"), "utf8")).trim());
  await home.run("stop", id, "--yes");
  return Number(startedNs / 1_000_000n) - begunMs;
}

function fileAppears(directory: string, name: string): Promise<void> {
  return new Promise((resolve) => {
    const watcher = watch(directory, (_, changed) => {
      if (changed !== name) return;
      watcher.close();
      resolve();
    });
  });
}
