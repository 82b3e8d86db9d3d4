import { setTimeout as delay } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import { cleanUp } from "../support/migrations.js";
import { checkInvariants } from "./invariants.js";
import { FIVE_STEP_FILES, FIVE_STEP_TEXT, FIVE_STEPS, Fleet } from "./support/fleet.js";
import { lookOn } from "./support/onlooker.js";
import { isLongRun, killsOfRun, randomFrom, seedOfRun } from "./support/seeds.js";

const cleanups: (() => Promise<void>)[] = [];
afterEach(() => cleanUp(cleanups));

const LIMIT_MS = isLongRun() ? 7_200_000 : 900_000;

/** Runs the five steps to their end while `disturb` does its worst, and checks everything. */
async function survive(
  fleet: Fleet,
  disturb: (fleet: Fleet) => Promise<void> = async () => {},
): Promise<void> {
  const handle = await fleet.start(FIVE_STEPS);
  const onlooker = lookOn(fleet.dataDir, handle.workflowId);
  const result = handle.result();
  try {
    await Promise.all([result, disturb(fleet)]);
  } finally {
    await onlooker.stop();
  }
  expect(onlooker.wrong()).toEqual([]);
  const manifest = await checkInvariants(fleet, handle);
  expect(manifest.status).toBe("completed");
  expect(await fleet.repository.git("show", `towpath/${handle.workflowId}:steps.txt`)).toBe(FIVE_STEP_TEXT);
}

/** Every activity of the migration, one after the other, at one moment; answers which of them reached it. */
async function killEverywhere(moment: string): Promise<string[]> {
  const fleet = await Fleet.make(cleanups, FIVE_STEP_FILES);
  fleet.reportsDeaths = true;
  fleet.roles = ["workflow"];
  fleet.launch();
  fleet.roles = ["host"];
  fleet.launch({ moments: [moment], every: 1, from: 0, signal: "SIGKILL" });
  await survive(fleet);
  await fleet.end();
  return (await fleet.traced("SIGKILL")).map((line) => line.split(" ").at(-1) ?? "");
}

/** What a five-step migration asks of its host, and how often at least; short steps are asked for together. */
const ACTIVITIES = [
  ["createMigration", 1],
  ["layWorkspace", 1],
  ["runSetup", 1],
  ["decideRequirements", 1],
  ["runBaseline", 1],
  ["startPhase", 4],
  ["nextSteps", 4],
  ["attemptStep", 3],
  ["checkGate", 4],
  ["advancePhase", 4],
  ["finishMigration", 1],
] as const;

/** How often at least they record an effect: that of each step and of the survey is one. */
const EFFECTS = [
  ["createMigration", 1],
  ["layWorkspace", 1],
  ["startPhase", 4],
  ["attemptStep", 6],
  ["checkGate", 4],
  ["advancePhase", 4],
  ["finishMigration", 1],
] as const;
const ATTEMPTS = [["attemptStep", 3]] as const;

const BOUNDARIES = [
  ["before its effect", "enter", ACTIVITIES],
  ["behind its effect, which is not recorded", "before-effect-record", EFFECTS],
  ["behind its effect, which is recorded", "leave", ACTIVITIES],
] as const;

const MORE_BOUNDARIES = [
  ["before the begin of an attempt is recorded", "before-record-1", ATTEMPTS],
  ["behind the record of the begin of an attempt", "after-record-1", ATTEMPTS],
  ["right behind the record of its effect", "after-effect-record", EFFECTS],
] as const;

describe("a worker that is killed at every activity of a five-step migration", () => {
  it.each(isLongRun() ? [...BOUNDARIES, ...MORE_BOUNDARIES] : BOUNDARIES)(
    "%s, is succeeded without a trace",
    async (_, moment, aims) => {
      const killed = await killEverywhere(moment);
      const missed = aims.filter(([name, least]) => killed.filter((each) => each === name).length < least);
      expect([missed, killed]).toEqual([[], killed]);
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
                .poll(async () => (await fleet.traced("ready")).length, { timeout: 600_000 })
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
