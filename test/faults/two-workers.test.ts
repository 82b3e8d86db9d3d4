import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { MigrationStore } from "../../src/adapters/store/migration-store.js";
import { cleanUp } from "../support/migrations.js";
import { checkInvariants, checkReplay } from "./invariants.js";
import { FIVE_STEP_FILES, FIVE_STEP_TEXT, FIVE_STEPS, Fleet } from "./support/fleet.js";

const cleanups: (() => Promise<void>)[] = [];
afterEach(() => cleanUp(cleanups));

const LIMIT_MS = 240_000;

describe("two workers of one host", () => {
  it(
    "share a migration without doing anything twice",
    async () => {
      const fleet = await Fleet.make(cleanups, FIVE_STEP_FILES);
      fleet.launch();
      fleet.launch();
      const handles = await Promise.all([fleet.start(FIVE_STEPS), fleet.start(FIVE_STEPS)]);
      await Promise.all(handles.map((handle) => handle.result()));
      for (const { workflowId } of handles) {
        const manifest = await checkInvariants(fleet, workflowId);
        expect(manifest.status).toBe("completed");
        expect(await fleet.repository.git("show", `towpath/${workflowId}:steps.txt`)).toBe(FIVE_STEP_TEXT);
      }
    },
    LIMIT_MS,
  );
});

/** The third step waits until it is let go, so that its worker can be stopped in the middle of it. */
const HELD = FIVE_STEPS.replace(
  "echo three >> steps.txt;",
  "echo three >> steps.txt; touch $TOWPATH_DIR/../../held; while [ ! -e $TOWPATH_DIR/../../go ]; do sleep 0.05; done;",
);

describe("a worker that stands still for longer than its heartbeat, and then goes on", () => {
  it(
    "inside a command, writes nothing over its successor's work",
    async () => {
      const fleet = await Fleet.make(cleanups, FIVE_STEP_FILES);
      fleet.pollers = 1;
      const sleeper = fleet.launch();
      const handle = await fleet.start(HELD);
      await expect.poll(() => existsSync(join(fleet.dataDir, "held")), { timeout: 60_000 }).toBe(true);
      sleeper.kill("SIGSTOP");
      await writeFile(join(fleet.dataDir, "go"), "");
      fleet.launch();
      await untilStep(fleet, handle.workflowId, "four");
      sleeper.kill("SIGCONT");
      await handle.result();
      await expectUndisturbed(fleet, handle);
    },
    LIMIT_MS,
  );

  it.each([
    ["before it begins an attempt", "before-record-1"],
    ["behind the begin of an attempt", "after-record-1"],
    ["before it records a completed step", "before-record-2"],
    ["behind the record of a completed step", "after-record-2"],
    ["before it answers", "leave"],
  ])(
    "%s, writes nothing over its successor's work",
    async (_, moment) => {
      const fleet = await Fleet.make(cleanups, FIVE_STEP_FILES);
      fleet.pollers = 1;
      // The attempt of the survey is number 0.
      const aim = { moments: [moment], activity: "attemptStep", every: 1_000, from: 1 };
      const sleeper = fleet.launch({ ...aim, signal: "SIGSTOP" }, null);
      const handle = await fleet.start(FIVE_STEPS);
      await expect.poll(() => fleet.traced("SIGSTOP"), { timeout: 60_000 }).toHaveLength(1);
      expect((await fleet.traced("SIGSTOP"))[0]).toContain("attemptStep");
      fleet.launch();
      // The successor is in the middle of a later step when the sleeper goes on.
      await untilStep(fleet, handle.workflowId, "three");
      sleeper.kill("SIGCONT");
      await handle.result();
      await expectUndisturbed(fleet, handle);
    },
    LIMIT_MS,
  );
});

async function debug(fleet: Fleet, id: string) {
  const h = await fleet.client.workflow.getHandle(id).fetchHistory();
  for (const e of (h.events ?? []).slice(-12)) console.log(JSON.stringify(e).slice(0, 400));
  const d = await fleet.client.workflow.getHandle(id).describe();
  console.log(JSON.stringify(d.raw.pendingActivities), JSON.stringify(d.raw.pendingWorkflowTask));
}

async function untilStep(fleet: Fleet, id: string, step: string): Promise<void> {
  const store = new MigrationStore({ dataDir: fleet.dataDir });
  await expect
    .poll(async () => (await store.readManifest(id)).steps?.[step]?.status, {
      timeout: 60_000,
      interval: 10,
    })
    .not.toBe("pending")
    .catch(async (error: unknown) => {
      await debug(fleet, id);
      throw error;
    });
}

async function expectUndisturbed(fleet: Fleet, handle: Awaited<ReturnType<Fleet["start"]>>): Promise<void> {
  // The sleeper takes part again: what it still wanted to write would be there when another migration is done.
  await (await fleet.start(FIVE_STEPS)).result();
  const manifest = await checkInvariants(fleet, handle.workflowId);
  expect(manifest.status).toBe("completed");
  expect(manifest.undone ?? []).toEqual([]);
  expect(await fleet.repository.git("show", `towpath/${handle.workflowId}:steps.txt`)).toBe(FIVE_STEP_TEXT);
  await checkReplay(fleet.client, handle.workflowId, handle.firstExecutionRunId);
}
