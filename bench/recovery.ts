import { on } from "node:events";
import { watch } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Home } from "./support/home.js";
import { makeProject } from "./support/project.js";
import type { Section } from "./support/table.js";

/** Heartbeat timeout of a step's activity (`src/workflows/host-activities.ts`) and what may be added to it, in s. */
const WORKER_TARGET_S = 5 + 2;
const SERVER_TARGET_S = 2;

/** One step whose command notes when it was started and then waits; and many short ones behind each other. */
const SPEC = `version: 1
name: recovery
target: next
phases:
  understand: { steps: [{ id: survey, uses: survey }] }
  guardrail: { features: [{ id: stands, description: it stands, test: "true" }] }
  migrate:
    steps:
      - id: noted
        run: |
          date +%s%N >> "$TOWPATH_DIR/../../noted"
          while [ ! -e "$TOWPATH_DIR/../../go" ]; do sleep 0.05; done
${Array.from({ length: 40 }, (_, i) => `      - { id: s${i}, run: 'date +%s%N >> "$TOWPATH_DIR/../../noted"; sleep 0.1' }`).join("\n")}
`;

/** How long nothing goes on when a worker, or the server, is killed. */
export async function benchRecovery(): Promise<Section> {
  const home = await Home.make();
  try {
    await home.run("up");
    const project = await makeProject(join(home.directory, "project"), 1);
    const spec = join(home.directory, "recovery.yaml");
    await writeFile(spec, SPEC);
    const first = noted(home, 1);
    const id = await home.start(project, "--spec", spec);
    await first;

    const begunAgain = noted(home, 2);
    const workerKilled = await kill(home, "worker");
    await home.run("up");
    const worker = ((await begunAgain) - workerKilled) / 1000;

    const running = noted(home, 8);
    await writeFile(join(home.dataDir, "go"), "");
    await running;
    const serverKilled = await kill(home, "server");
    const before = (await notes(home)).length;
    await home.run("up");
    // The step that ran when the server died may still have noted something; the one after it needed the server.
    const server = ((await noted(home, before + 2)) - serverKilled) / 1000;
    await home.finished(id);
    return {
      title: "From a kill to work going on, with `towpath up` right behind it",
      rows: [
        { name: "worker killed in a step", value: worker, unit: "s", target: WORKER_TARGET_S },
        { name: "server killed between steps", value: server, unit: "s", target: SERVER_TARGET_S },
      ],
    };
  } finally {
    await home.remove();
  }
}

async function kill(home: Home, role: "worker" | "server"): Promise<number> {
  process.kill(await home.pid(role), "SIGKILL");
  return Date.now();
}

async function notes(home: Home): Promise<string[]> {
  const text = await readFile(join(home.dataDir, "noted"), "utf8").catch(() => "");
  return text.split("\n").filter((line) => line !== "");
}

/** Waits until so many steps have been started; answers when the last of them was, in ms since the epoch. */
async function noted(home: Home, count: number): Promise<number> {
  const watcher = watch(home.dataDir);
  const changes = on(watcher, "change");
  try {
    for (;;) {
      const line = (await notes(home))[count - 1];
      if (line !== undefined) return Number(BigInt(line) / 1_000_000n);
      await changes.next();
    }
  } finally {
    watcher.close();
  }
}
