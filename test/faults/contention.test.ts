import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, utimesSync } from "node:fs";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterEach, expect, it } from "vitest";
import { MigrationStore } from "../../src/adapters/store/migration-store.js";
import { entryVersion } from "../../src/model/manifest-chain.js";
import { createManifest } from "../../src/model/transitions.js";
import { installation } from "../support/installation.js";
import { cleanUp } from "../support/migrations.js";
import { temporaryDirectory } from "../support/repository.js";
import { checkChain } from "./invariants.js";
import { isLongRun } from "./support/seeds.js";

const cleanups: (() => Promise<void>)[] = [];
afterEach(() => cleanUp(cleanups));

const CONTENDER = fileURLToPath(new URL("fixtures/contender.js", import.meta.url));
const ID = "mig_20260101_120000_app-0abcff";
const WRITERS = 8;
const UPDATES = 2_000;
const SUSPENSIONS = 100;
/** Each costs a process, which reads the whole chain first. */
const KILLS = isLongRun() ? 100 : 24;

/** One writer's share: its operations to the end, each death followed by a successor that begins where it stood. */
class Writer {
  acknowledged: string[] = [];
  suspended = 0;
  killed = 0;

  constructor(
    private readonly dist: string,
    private readonly store: MigrationStore,
    private readonly name: string,
    private readonly signal: "SIGSTOP" | "SIGKILL",
    private readonly traps: number,
  ) {}

  async run(): Promise<void> {
    while (this.acknowledged.length < UPDATES) {
      const first = this.acknowledged.length;
      const every = Math.floor(UPDATES / (this.traps + 1));
      const args = [this.dist, this.store.dataDir, ID, this.name, first, UPDATES, this.signal, every].map(
        String,
      );
      const child = spawn(process.execPath, [CONTENDER, ...args], { stdio: ["ignore", "pipe", "inherit"] });
      const closed = once(child, "close");
      for await (const line of createInterface({ input: child.stdout })) {
        if (line.startsWith("done ")) this.acknowledged.push(line.slice(5));
        else if (this.signal === "SIGSTOP") await this.overtake(child);
        else this.age();
      }
      const [code, signal]: unknown[] = await closed;
      if (signal === "SIGKILL") this.killed += 1;
      else if (code !== 0) throw new Error(`writer ${this.name} ended with code ${String(code)}`);
    }
  }

  /** Lets the others take the lock of a writer that stands still inside its critical section, then lets it go on. */
  private async overtake(child: ChildProcess): Promise<void> {
    this.suspended += 1;
    await delay(5);
    const before = this.newest();
    this.age();
    const deadline = performance.now() + 3_000;
    // The last writer has nobody who would overtake it.
    while (this.newest() <= before && performance.now() < deadline) await delay(5);
    child.kill("SIGCONT");
  }

  private newest(): number {
    const { state } = this.store.paths(ID);
    return Math.max(...readdirSync(state).map((name) => entryVersion(name) ?? 0));
  }

  /** Makes the lock as old as it would be after the stale time. */
  private age(): void {
    const past = new Date(Date.now() - 60_000);
    try {
      utimesSync(this.store.paths(ID).lock, past, past);
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
    }
  }
}

it(`loses nothing of ${WRITERS} × ${UPDATES} updates while holders are killed and suspended inside the critical section`, async () => {
  const store = new MigrationStore({ dataDir: join(await temporaryDirectory(cleanups), "data") });
  const migration = {
    id: ID,
    now: new Date(),
    source: "/src/app",
    target: "next",
    mode: "hands-on" as const,
  };
  await store.create(createManifest(migration), "create");
  const dist = join(dirname(dirname(await installation("own"))), "dist");
  const half = WRITERS / 2;
  const writers = Array.from({ length: WRITERS }, (_, n) =>
    n < half
      ? new Writer(dist, store, `s${n}`, "SIGSTOP", SUSPENSIONS / half)
      : new Writer(dist, store, `k${n}`, "SIGKILL", KILLS / half),
  );
  await Promise.all(writers.map((writer) => writer.run()));

  const acknowledged = writers.flatMap((writer) => writer.acknowledged);
  expect(acknowledged).toHaveLength(WRITERS * UPDATES);
  expect(new Set(acknowledged).size).toBe(acknowledged.length);
  await checkChain(store, ID);
  const { operations } = await store.verifyChain(ID);
  expect(operations.toSorted()).toEqual(["create", ...acknowledged].toSorted());
  const manifest = await new MigrationStore(store).readManifest(ID);
  expect(manifest.revision).toBe(acknowledged.length + 1);
  expect(manifest["count"]).toBe(acknowledged.length);
  expect(writers.reduce((sum, { suspended }) => sum + suspended, 0)).toBeGreaterThanOrEqual(SUSPENSIONS);
  expect(writers.reduce((sum, { killed }) => sum + killed, 0)).toBeGreaterThanOrEqual(KILLS);
  // What a holder that was overtaken saw of its successors passed for nobody's edit.
  const kept = readdirSync(store.paths(ID).directory).filter((name) => name.includes(".edited-"));
  expect(kept).toEqual([]);
  await store.sweep(ID);
  expect(readdirSync(store.paths(ID).staging)).toEqual([]);
}, 1_800_000);
