import { appendFile, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { MigrationStore } from "../../../src/adapters/store/migration-store.js";
import { attemptIsOver, followLogs } from "../../../src/client/migrations/log-following.js";
import type { Manifest, StepRecord } from "../../../src/model/manifest.js";
import { createManifest } from "../../../src/model/transitions.js";
import { temporaryDirectory } from "../../support/repository.js";

const ID = "mig_20260101_000000_app-aaaaaa";
const NOW = new Date("2026-01-01T00:00:00.000Z");
const RUNNING: StepRecord = {
  phase: "migrate",
  status: "in_progress",
  attempts: 2,
  started_at: "",
  completed_at: "",
  duration_ms: 0,
};

function manifest(changes: Partial<Manifest> = {}): Manifest {
  const created = createManifest({ id: ID, source: "/app", target: "next", mode: "spec", now: NOW });
  return { ...created, steps: { one: RUNNING }, ...changes };
}

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

describe("attemptIsOver", () => {
  it.each([
    ["runs", manifest(), "one", 2, false],
    ["was followed by another", manifest(), "one", 1, true],
    [
      "is still to come",
      manifest({ steps: { one: { ...RUNNING, status: "pending", attempts: 0 } } }),
      "one",
      1,
      false,
    ],
    ["completed", manifest({ steps: { one: { ...RUNNING, status: "completed" } } }), "one", 2, true],
    ["failed", manifest({ steps: { one: { ...RUNNING, status: "failed" } } }), "one", 2, true],
    ["ended with its migration", manifest({ status: "stopped" }), "one", 2, true],
    ["is the preparation's", manifest(), "setup", 1, false],
    [
      "was the preparation's",
      manifest({ lease: { step: "one", attempt: 1, turn: 1, execution: 1 } }),
      "setup",
      1,
      true,
    ],
  ])("knows of one that %s", (_, given, step, attempt, over) => {
    expect(attemptIsOver(given, step, attempt)).toBe(over);
  });
});

describe("followLogs", () => {
  it("gives what is written while it follows, to the last byte, and ends with the attempt", async () => {
    const dataDir = await temporaryDirectory(cleanups);
    const store = new MigrationStore({ dataDir });
    await store.create(manifest(), "test");
    const directory = join(store.paths(ID).logs, "one");
    await mkdir(directory, { recursive: true });
    const file = join(directory, "attempt-2.run.log");
    await appendFile(file, "first\nsec");

    const lines: string[] = [];
    const following = followLogs(
      { dataDir, id: ID, step: "one", attempt: 2 },
      async (_log, text) => void lines.push(text),
      new AbortController().signal,
    );
    await expect.poll(() => lines).toEqual(["first"]);
    await appendFile(file, "ond\nno end");
    await expect.poll(() => lines).toEqual(["first", "second"]);
    await store.updateManifest(ID, "complete", (current) => ({
      manifest: { ...current, steps: { one: { ...RUNNING, status: "completed" } } },
      result: null,
    }));
    await following;
    expect(lines).toEqual(["first", "second", "no end"]);
  });
});
