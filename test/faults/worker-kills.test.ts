import { setTimeout as delay } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import { cleanUp } from "../support/migrations.js";
import { checkInvariants } from "./invariants.js";
import { FIVE_STEP_FILES, FIVE_STEP_TEXT, FIVE_STEPS, Fleet } from "./support/fleet.js";
import { isLongRun, killsOfRun, randomFrom, seedOfRun } from "./support/seeds.js";
import { eventually } from "./support/waiting.js";

const cleanups: (() => Promise<void>)[] = [];
afterEach(() => cleanUp(cleanups));

const LIMIT_MS = isLongRun() ? 7_200_000 : 900_000;

/** Runs a spec of the five steps to its end while `disturb` does its worst, and checks everything. */
async function survive(
  fleet: Fleet,
  spec = FIVE_STEPS,
  disturb: (isOver: () => boolean) => Promise<void> = async () => {},
): Promise<void> {
  const handle = await fleet.start(spec);
  let isOver = false;
  const ended = handle.result().finally(() => (isOver = true));
  await Promise.all([ended, disturb(() => isOver)]);
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

/** Long enough for several deaths in one migration. */
const SLOW = FIVE_STEPS.replaceAll(/run: "echo (\w+) /g, 'run: "sleep 0.3; echo $1 ');
const KILLS_EACH = 5;
const LANES = 4;

describe("a worker that is killed at random moments", () => {
  it(
    "is succeeded without a trace",
    async () => {
      const seed = seedOfRun();
      const wanted = killsOfRun(30);
      const kills = { done: 0 };
      const lane = async (_: unknown, number: number): Promise<void> => {
        const random = randomFrom(seed + number);
        while (kills.done < wanted) {
          const fleet = await Fleet.make(cleanups, FIVE_STEP_FILES);
          fleet.reportsDeaths = true;
          fleet.launch();
          await survive(fleet, SLOW, async (isOver) => {
            for (let lives = 1; lives <= KILLS_EACH; lives += 1) {
              await eventually("a worker", async () => (await fleet.traced("ready")).length >= lives);
              await delay(random() * 1_500);
              // Only a death in the middle of the migration counts.
              if (isOver()) return;
              fleet.living[0]?.kill("SIGKILL");
              kills.done += 1;
            }
          });
          await fleet.end();
        }
      };
      await Promise.all(Array.from({ length: Math.min(LANES, Math.ceil(wanted / KILLS_EACH)) }, lane));
      expect(kills.done).toBeGreaterThanOrEqual(wanted);
    },
    LIMIT_MS,
  );
});
