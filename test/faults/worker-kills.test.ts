import { setTimeout as delay } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import { cleanUp } from "../support/migrations.js";
import { checkInvariants, checkReplay } from "./invariants.js";
import { FIVE_STEP_FILES, FIVE_STEP_TEXT, FIVE_STEPS, Fleet } from "./support/fleet.js";
import { isLongRun, killsOfRun, randomFrom, seedOfRun } from "./support/seeds.js";

const cleanups: (() => Promise<void>)[] = [];
afterEach(() => cleanUp(cleanups));

const LIMIT_MS = isLongRun() ? 3_600_000 : 240_000;

/** Runs the five steps to their end while `disturb` does its worst, and checks everything. */
async function survive(
  fleet: Fleet,
  disturb: (fleet: Fleet) => Promise<void> = async () => {},
): Promise<void> {
  const handle = await fleet.start(FIVE_STEPS);
  const result = handle.result();
  await Promise.all([result, disturb(fleet)]);
  const manifest = await checkInvariants(fleet, handle.workflowId);
  expect(manifest.status).toBe("completed");
  expect(await fleet.repository.git("show", `towpath/${handle.workflowId}:steps.txt`)).toBe(FIVE_STEP_TEXT);
  await checkReplay(fleet.client, handle.workflowId, handle.firstExecutionRunId);
}

const MOMENTS = ["enter", "before-record-1", "after-record-1", "leave"] as const;

/** The second change of the manifest, which only attempts make, in a run of its own. */
const LATER_MOMENTS = ["before-record-2", "after-record-2"] as const;

/** Side by side, because what takes the time is Temporal's waiting for the dead worker's heartbeat. */
const ABREAST = 5;

/** Kills the hosts at their activities, each at the next of the moments; answers how often. */
async function killAtEvery(moments: readonly string[]): Promise<number> {
  const killed = await Promise.all(
    Array.from({ length: ABREAST }, async (_, from) => {
      const fleet = await Fleet.make(cleanups, FIVE_STEP_FILES);
      fleet.launch({ moments, every: ABREAST, from, signal: "SIGKILL" });
      await survive(fleet);
      await fleet.end();
      return (await fleet.traced("SIGKILL")).length;
    }),
  );
  return killed.reduce((sum, count) => sum + count, 0);
}

describe("a worker that is killed at the boundaries of a five-step migration's activities", () => {
  const turns = isLongRun() ? MOMENTS.map((_, turn) => turn) : [seedOfRun() % MOMENTS.length];

  it.each(turns)(
    "is succeeded without a trace (every activity once, moments shifted by %i)",
    async (turn) => {
      expect(await killAtEvery([...MOMENTS.slice(turn), ...MOMENTS.slice(0, turn)])).toBeGreaterThan(20);
    },
    LIMIT_MS,
  );

  it.runIf(isLongRun())(
    "is succeeded without a trace (around the second record of every attempt)",
    async () => {
      expect(await killAtEvery(LATER_MOMENTS)).toBeGreaterThan(2);
    },
    LIMIT_MS,
  );
});

describe("a worker that is killed at random moments", () => {
  it(
    "is succeeded without a trace",
    async () => {
      const seed = seedOfRun();
      const random = randomFrom(seed);
      const perMigration = 5;
      const migrations = Math.ceil(killsOfRun(30) / perMigration);
      const delays = Array.from({ length: migrations }, () =>
        Array.from({ length: perMigration }, () => 300 + random() * 2_500),
      );
      const queue = delays.entries();
      const lane = async (): Promise<void> => {
        for (const [, pauses] of queue) {
          const fleet = await Fleet.make(cleanups, FIVE_STEP_FILES);
          fleet.launch();
          await survive(fleet, async () => {
            for (const pause of pauses) {
              const lives = (await fleet.traced("ready")).length;
              await expect
                .poll(async () => (await fleet.traced("ready")).length, { timeout: 90_000 })
                .toBeGreaterThan(lives - 1);
              await delay(pause);
              fleet.living[0]?.kill("SIGKILL");
            }
          });
          await fleet.end();
        }
      };
      await Promise.all(Array.from({ length: Math.min(6, migrations) }, lane));
    },
    LIMIT_MS,
  );
});
