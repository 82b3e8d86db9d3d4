import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdir } from "node:fs/promises";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { ID, reopened, storeWithMigration } from "./harness.js";

const CONTENDER = fileURLToPath(new URL("contender.ts", import.meta.url));

interface Contender {
  readonly child: ChildProcess;
  readonly acknowledged: () => string[];
}

function contend(
  dataDir: string,
  name: string,
  first: number,
  count: number,
  signal: string,
  every: number,
): Contender {
  const parameters = [dataDir, ID, name, first, count, signal, every].map(String);
  const child = spawn(process.execPath, ["--import", "tsx", CONTENDER, ...parameters], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  child.stdout?.setEncoding("utf8").on("data", (chunk: string) => (output += chunk));
  // A killed writer's last line may be cut off: what is not whole was not acknowledged.
  return { child, acknowledged: () => output.split("\n").slice(0, -1) };
}

/** Runs one name's operations to the end, each death followed by a successor that begins where it stood. */
async function untilDone(dataDir: string, name: string, count: number): Promise<string[]> {
  const acknowledged: string[] = [];
  for (let first = 0; first < count; first = acknowledged.length) {
    const contender = contend(dataDir, name, first, count - first, "SIGKILL", 9);
    const [code, signal] = await once(contender.child, "close");
    acknowledged.push(...contender.acknowledged());
    expect([code, signal]).toEqual(expect.arrayContaining([code === 0 ? 0 : "SIGKILL"]));
  }
  return acknowledged;
}

/** Suspended inside its critical section for longer than the lock lasts, then let go on. */
async function suspendedOnce(dataDir: string, name: string, count: number): Promise<string[]> {
  const contender = contend(dataDir, name, 0, count, "SIGSTOP", 5);
  const closed = once(contender.child, "close");
  const resume = (async () => {
    while (contender.child.exitCode === null) {
      await pause(2500);
      contender.child.kill("SIGCONT");
    }
  })();
  expect((await closed)[0]).toBe(0);
  await resume;
  return contender.acknowledged();
}

it("loses nothing between processes that are killed and suspended inside the critical section", async () => {
  const { store, paths } = await storeWithMigration();
  const { dataDir } = store;
  const runs = await Promise.all([
    ...["k1", "k2"].map((name) => untilDone(dataDir, name, 12)),
    ...["s1", "s2"].map((name) => suspendedOnce(dataDir, name, 8)),
    ...["a", "b", "c", "d"].map((name) => untilDone(dataDir, name, 8)),
  ]);
  const acknowledged = runs.flat();
  expect(acknowledged).toHaveLength(2 * 12 + 2 * 8 + 4 * 8);

  const view = reopened(store);
  const chain = await view.verifyChain(ID);
  const manifest = await view.readManifest(ID);
  expect(chain.operations.toSorted()).toEqual(["create", ...acknowledged].toSorted());
  expect(manifest.checkpoints.toSorted()).toEqual(acknowledged.toSorted());
  expect(manifest.revision).toBe(acknowledged.length + 1);

  await view.sweep(ID);
  expect(await readdir(paths.staging)).toEqual([]);
}, 300_000);
