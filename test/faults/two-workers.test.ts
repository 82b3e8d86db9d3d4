import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { MigrationStore } from "../../src/adapters/store/migration-store.js";
import { eventually } from "./support/waiting.js";
import { cleanUp } from "../support/migrations.js";
import { checkInvariants } from "./invariants.js";
import { FIVE_STEP_FILES, FIVE_STEP_TEXT, FIVE_STEPS, Fleet } from "./support/fleet.js";

const cleanups: (() => Promise<void>)[] = [];
afterAll(() => cleanUp(cleanups));

const LIMIT_MS = 900_000;

describe("two workers of one host", () => {
  it(
    "share a migration without doing anything twice",
    async () => {
      const fleet = await Fleet.make(cleanups, FIVE_STEP_FILES);
      fleet.launch();
      fleet.launch();
      const handles = await Promise.all([fleet.start(FIVE_STEPS), fleet.start(FIVE_STEPS)]);
      await Promise.all(handles.map((handle) => handle.result()));
      for (const handle of handles) {
        const manifest = await checkInvariants(fleet, handle);
        expect(manifest.status).toBe("completed");
        const text = await fleet.repository.git("show", `towpath/${handle.workflowId}:steps.txt`);
        expect(text).toBe(FIVE_STEP_TEXT);
      }
    },
    LIMIT_MS,
  );
});

/** Only activities are lost to a process that stands still, and few of them: that is what takes the time. */
async function makeFleet(): Promise<Fleet> {
  const fleet = await Fleet.make(cleanups, FIVE_STEP_FILES);
  fleet.roles = ["workflow"];
  fleet.launch();
  fleet.roles = ["host"];
  fleet.pollers = 1;
  return fleet;
}

/** The third step waits until it is let go, so that its worker can be stopped in the middle of it. */
const HELD = FIVE_STEPS.replace(
  "echo three >> steps.txt;",
  "echo three >> steps.txt; echo held >> $TOWPATH_DIR/../../../trace; while [ ! -e $TOWPATH_DIR/../../go ]; do sleep 0.05; done;",
);

describe.concurrent("a worker that stands still for longer than its heartbeat, and then goes on", () => {
  it(
    "inside a command, writes nothing over its successor's work",
    async () => {
      const fleet = await makeFleet();
      const sleeper = fleet.launch();
      const handle = await fleet.start(HELD);
      await untilTraced(fleet, "held");
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
      const fleet = await makeFleet();
      // The attempt of the survey is number 0.
      const aim = { moments: [moment], activity: "attemptStep", every: 1_000, from: 1 };
      const sleeper = fleet.launch({ ...aim, signal: "SIGSTOP" }, null);
      const handle = await fleet.start(FIVE_STEPS);
      await untilTraced(fleet, "SIGSTOP");
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

async function untilTraced(fleet: Fleet, prefix: string): Promise<void> {
  await eventually(`'${prefix}'`, async () => (await fleet.traced(prefix)).length > 0);
}

async function untilStep(fleet: Fleet, id: string, step: string): Promise<void> {
  const store = new MigrationStore({ dataDir: fleet.dataDir });
  await eventually(`step '${step}'`, async () => {
    return (await store.readManifest(id)).steps?.[step]?.status !== "pending";
  });
}

async function expectUndisturbed(fleet: Fleet, handle: Awaited<ReturnType<Fleet["start"]>>): Promise<void> {
  // The sleeper takes part again: what it still wanted to write would be there when another migration is done.
  await (await fleet.start(FIVE_STEPS)).result();
  const manifest = await checkInvariants(fleet, handle);
  expect(manifest.status).toBe("completed");
  expect(manifest.undone ?? []).toEqual([]);
  expect(await fleet.repository.git("show", `towpath/${handle.workflowId}:steps.txt`)).toBe(FIVE_STEP_TEXT);
}
