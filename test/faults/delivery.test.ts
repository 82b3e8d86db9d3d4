import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { MigrationActivities } from "../../src/activities/contract.js";
import { processMark } from "../../src/activities/commands.js";
import { forgetWorktree } from "../../src/activities/known-worktrees.js";
import { listProcesses, MARK_VARIABLE } from "../../src/adapters/process/process-table.js";
import { MigrationStore } from "../../src/adapters/store/migration-store.js";
import { messageOf } from "../../src/model/errors.js";
import { cleanUp } from "../support/migrations.js";
import { checkInvariants } from "./invariants.js";
import { FIVE_STEP_FILES, FIVE_STEP_TEXT, FIVE_STEPS, TWO_STEP_TEXT, TWO_STEPS } from "./support/fleet.js";
import { activitiesOn, type Deliver, execute, type Ground, makeGround, travel } from "./support/journey.js";

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  vi.unstubAllEnvs();
  await cleanUp(cleanups);
});

async function expectDone(ground: Ground, text: string): Promise<void> {
  const manifest = await checkInvariants(ground, ground.id);
  expect(manifest.status).toBe("completed");
  const branch = `towpath/${ground.id}`;
  expect(await ground.repository.git("show", `${branch}:steps.txt`)).toBe(text);
  const progress = readFileSync(new MigrationStore(ground).paths(ground.id).progress, "utf8");
  for (const phase of ["understand", "guardrail", "migrate", "verify"]) {
    expect(progress.split(`Phase '${phase}' completed`)).toHaveLength(2);
  }
}

describe("an activity that is delivered twice", () => {
  it("answers the same and has one effect, whichever it is", async () => {
    const ground = await makeGround(cleanups, FIVE_STEP_FILES);
    const effects: string[] = [];
    const twice: Deliver = async (name, activity) => {
      const first = await execute(1, activitiesOn(ground), activity);
      const store = new MigrationStore({ dataDir: ground.dataDir });
      const { version } = await store.verifyChain(ground.id);
      const second = await execute(2, activitiesOn(ground), activity);
      // The list of open steps is a question; it has no effect that could happen twice.
      expect([name, second]).toEqual([name, first]);
      if ((await store.verifyChain(ground.id)).version !== version) effects.push(name);
      return second;
    };
    await travel(ground, FIVE_STEPS, twice);
    expect(effects).toEqual([]);
    await expectDone(ground, FIVE_STEP_TEXT);
  }, 900_000);
});

class Dead extends Error {}

/** A store behind whose k-th call nothing has an effect any more, for its process is dead. */
function dyingStore(
  dataDir: string,
  k: number,
  isBehindEffect: boolean,
): { store: MigrationStore; isReached: () => boolean } {
  let calls = 0;
  const store = new Proxy(new MigrationStore({ dataDir }), {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== "function" || name === "paths") return value;
      return async (...parameters: unknown[]): Promise<unknown> => {
        calls += 1;
        if (calls > k || (calls === k && !isBehindEffect)) throw new Dead("dead");
        const answer: unknown = await Reflect.apply(value, target, parameters);
        if (calls >= k) throw new Dead("dead");
        return answer;
      };
    },
  });
  return { store, isReached: () => calls >= k };
}

/** Delivers an activity to one process after the other, each of which dies one call of the store later than the last. */
async function dieAtEveryCall<T>(
  ground: Ground,
  isBehindEffect: boolean,
  activity: (activities: MigrationActivities) => Promise<T>,
): Promise<T> {
  for (let execution = 1; ; execution += 1) {
    const { store, isReached } = dyingStore(ground.dataDir, execution, isBehindEffect);
    try {
      const answer = await execute(execution, activitiesOn(ground, store), activity);
      if (!isReached()) return answer;
    } catch (error) {
      if (!isReached()) throw new Error(`execution ${execution}`, { cause: error });
      deaths += 1;
    }
  }
}

let deaths = 0;

describe("an activity whose process dies half-way", () => {
  it.each([
    ["before the effect", false],
    ["behind the effect", true],
  ])(
    "at any call of the store, %s, is finished by its next execution",
    async (_, isBehindEffect) => {
      const ground = await makeGround(cleanups, FIVE_STEP_FILES);
      deaths = 0;
      await travel(ground, TWO_STEPS, async (_name, activity) => {
        return await dieAtEveryCall(ground, isBehindEffect, activity);
      });
      expect(deaths).toBeGreaterThan(60);
      await expectDone(ground, TWO_STEP_TEXT);
    },
    900_000,
  );

  it.each([
    ["before", `kill -9 $$`],
    ["behind", `"$real" "$@"; kill -9 $$`],
  ])(
    "in any of its git commands, %s its effect, is finished by its next execution",
    async (_, death) => {
      const ground = await makeGround(cleanups, FIVE_STEP_FILES);
      const git = mortalGit(death);
      deaths = 0;
      await travel(ground, TWO_STEPS, async (name, activity) => {
        for (let execution = 1; ; execution += 1) {
          git.killAt(execution);
          try {
            const answer = await execute(execution, activitiesOn(ground), activity);
            if (!git.isReached(execution)) return answer;
          } catch (error) {
            if (!messageOf(error).includes("SIGKILL")) {
              throw new Error(`${name}, execution ${execution}`, { cause: error });
            }
          }
          deaths += 1;
        }
      });
      vi.unstubAllEnvs();
      expect(deaths).toBeGreaterThan(60);
      await expectDone(ground, TWO_STEP_TEXT);
    },
    600_000,
  );
});

describe("a rollback", () => {
  it.each([
    ["before", false],
    ["behind", true],
  ])(
    "that dies %s any of its effects is finished by its next execution, and the migration goes on",
    async (_, isBehindEffect) => {
      const ground = await makeGround(cleanups, FIVE_STEP_FILES);
      const migrationId = ground.id;
      let kept: readonly string[] = [];
      await travel(ground, FIVE_STEPS, async (name, activity) => {
        if (name === "gate migrate") {
          const asked = { migrationId, step: "four", by: "ada", operation: "op/rollback" };
          await dieAtEveryCall(ground, isBehindEffect, (host) => host.rollbackTo(asked));
          ({ undone: kept = [] } = await checkInvariants(ground, migrationId, { isOver: false }));
          for (const step of ["four", "five"]) {
            const again = { migrationId, step, attempt: 2, turn: 2, operation: `op/again-${step}` };
            await execute(1, activitiesOn(ground), (host) => host.attemptStep(again));
          }
        }
        return await execute(1, activitiesOn(ground), activity);
      });
      expect(kept).toHaveLength(1);
      await expectDone(ground, FIVE_STEP_TEXT);
    },
    900_000,
  );
});

describe("work of a person's that lies in the worktree", () => {
  it.each([
    ["before a step", "step two"],
    ["before a gate", "gate migrate"],
    ["before the end", "finish"],
  ])(
    "%s is kept under one recorded tag, whenever the process dies",
    async (_, interrupted) => {
      for (const isBehindEffect of [false, true]) {
        const ground = await makeGround(cleanups, FIVE_STEP_FILES);
        const stray = join(ground.dataDir, "workspaces", ground.id, "stray.txt");
        await travel(ground, TWO_STEPS, async (name, activity) => {
          if (name !== interrupted) return await execute(1, activitiesOn(ground), activity);
          writeFileSync(stray, "a person's work");
          // A new process knows nothing of the worktree.
          forgetWorktree(ground, ground.id);
          return await dieAtEveryCall(ground, isBehindEffect, activity);
        });
        await expectDone(ground, TWO_STEP_TEXT);
        const { undone = [] } = await new MigrationStore(ground).readManifest(ground.id);
        expect(undone.length).toBeGreaterThan(0);
        expect(await ground.repository.git("show", `${undone[0] ?? ""}:stray.txt`)).toBe("a person's work");
      }
    },
    900_000,
  );
});

describe("work of a person's that is laid between a step and the gate behind it", () => {
  it("is kept by the process that still knows how the step left the worktree", async () => {
    const ground = await makeGround(cleanups, FIVE_STEP_FILES);
    const stray = join(ground.dataDir, "workspaces", ground.id, "stray.txt");
    await travel(ground, TWO_STEPS, async (name, activity) => {
      if (name === "gate migrate") writeFileSync(stray, "a person's work");
      return await execute(1, activitiesOn(ground), activity);
    });
    await expectDone(ground, TWO_STEP_TEXT);
    const { undone = [] } = await new MigrationStore(ground).readManifest(ground.id);
    expect(undone).toHaveLength(1);
    expect(await ground.repository.git("show", `${undone[0] ?? ""}:stray.txt`)).toBe("a person's work");
  }, 120_000);
});

describe("a gate's command of a worker that was lost", () => {
  it("is ended by another worker, which knows how the step before left the worktree", async () => {
    const ground = await makeGround(cleanups, FIVE_STEP_FILES);
    let signal: NodeJS.Signals | null = null;
    await travel(ground, TWO_STEPS, async (name, activity) => {
      if (name !== "gate migrate") return await execute(1, activitiesOn(ground), activity);
      const env = { ...process.env, [MARK_VARIABLE]: processMark(ground.id) };
      const command = spawn("sleep", ["300"], { env, detached: true, stdio: "ignore" });
      cleanups.push(async () => void command.kill("SIGKILL"));
      const ended = once(command, "exit");
      await once(command, "spawn");
      const answer = await execute(2, activitiesOn(ground), activity);
      expect(listProcesses().filter((entry) => entry.mark() === processMark(ground.id))).toEqual([]);
      [, signal] = await ended;
      return answer;
    });
    expect(signal).not.toBeNull();
    await expectDone(ground, TWO_STEP_TEXT);
  }, 120_000);
});

/** Puts a git on PATH that dies at its n-th call since `killAt`. */
function mortalGit(death: string): { killAt(n: number): void; isReached(n: number): boolean } {
  const directory = mkdtempSync(join(tmpdir(), "towpath-git-"));
  cleanups.push(async () => rmSync(directory, { recursive: true, force: true }));
  const [calls, at] = [join(directory, "calls"), join(directory, "at")];
  const real = execFileSync("sh", ["-c", "command -v git"], { encoding: "utf8" }).trim();
  const script = [
    "#!/bin/sh",
    `real="${real}"`,
    `echo x >>"${calls}"`,
    `if [ "$(wc -l <"${calls}")" -eq "$(cat "${at}")" ]; then ${death}; fi`,
    `exec "$real" "$@"`,
    "",
  ];
  writeFileSync(join(directory, "git"), script.join("\n"));
  chmodSync(join(directory, "git"), 0o755);
  vi.stubEnv("PATH", `${directory}${delimiter}${process.env["PATH"] ?? ""}`);
  return {
    killAt(n) {
      writeFileSync(calls, "");
      writeFileSync(at, String(n));
    },
    isReached: (n) => readFileSync(calls, "utf8").length / 2 >= n,
  };
}
