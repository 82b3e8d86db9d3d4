import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { MARK_VARIABLE } from "../../src/adapters/process/process-table.js";
import { MigrationStore } from "../../src/adapters/store/migration-store.js";
import { PACK_NAME } from "../../src/adapters/store/packed-chain.js";
import type { Manifest } from "../../src/model/manifest.js";
import { cleanUp } from "../support/migrations.js";
import { checkInvariants, isInGit, replayHistory, userSide, whereIs } from "./invariants.js";
import { FIVE_STEP_FILES, FIVE_STEPS } from "./support/fleet.js";
import { activitiesOn, execute, type Ground, makeGround, travel } from "./support/journey.js";

const cleanups: (() => Promise<void>)[] = [];
afterAll(() => cleanUp(cleanups));

let ground: Ground;
let store: MigrationStore;
beforeAll(async () => {
  ground = await makeGround(cleanups, FIVE_STEP_FILES);
  await travel(ground, FIVE_STEPS, (_, activity) => execute(1, activitiesOn(ground), activity));
  store = new MigrationStore(ground);
  await checkInvariants(ground, ground.id);
});

type Breakage = () => Promise<() => Promise<unknown>>;

function git(...args: string[]): Promise<string> {
  return ground.repository.git(...args);
}

function branch(): string {
  return `refs/heads/towpath/${ground.id}`;
}

/** Puts something into the chain that no part of Towpath would write; the chain's files are put back afterwards. */
async function recorded(
  change: (manifest: Manifest) => Manifest,
  operation = "wrong",
): Promise<() => Promise<void>> {
  const { state, manifest: path } = store.paths(ground.id);
  const { version } = await store.verifyChain(ground.id);
  const published = await readFile(path);
  await store.updateManifest(ground.id, operation, (manifest) => ({
    manifest: change(manifest),
    result: null,
  }));
  return async () => {
    await rm(join(state, `manifest.${version + 1}.json`));
    await writeFile(path, published);
  };
}

/** A file that lies somewhere for a moment. */
async function lying(...path: string[]): Promise<() => Promise<void>> {
  const file = join(...path);
  await mkdir(join(file, ".."), { recursive: true });
  await writeFile(file, "");
  return () => rm(file);
}

async function committed(...args: string[]): Promise<() => Promise<unknown>> {
  const head = await git("rev-parse", branch());
  const commit = await git("commit-tree", "-p", head, ...args, `${head}^{tree}`);
  await git("update-ref", branch(), commit);
  return () => git("update-ref", branch(), head);
}

function withStep(manifest: Manifest, id: string, more: object): Manifest {
  const record = manifest.steps?.[id];
  if (record === undefined) throw new Error(`no step ${id}`);
  return { ...manifest, steps: { ...manifest.steps, [id]: { ...record, ...more } } };
}

const BREAKAGES: Record<string, Breakage> = {
  "a chain with a hole (I1)": async () => {
    const pack = join(store.paths(ground.id).state, PACK_NAME);
    const whole = await readFile(pack, "utf8");
    await writeFile(pack, whole.split("\n").toSpliced(3, 1).join("\n"));
    return () => writeFile(pack, whole);
  },
  "an operation that was done twice (I2)": async () => {
    const { state } = store.paths(ground.id);
    const { version, operations } = await store.verifyChain(ground.id);
    const undo = await recorded((manifest) => manifest);
    const path = join(state, `manifest.${version + 1}.json`);
    const entry = z.looseObject({ operation: z.string() }).parse(JSON.parse(await readFile(path, "utf8")));
    await writeFile(path, `${JSON.stringify({ ...entry, operation: operations[3] })}\n`);
    return undo;
  },
  "a status that goes back from a terminal one": () =>
    recorded((manifest) => ({ ...manifest, status: "in_progress" })),
  "a phase that goes back": () =>
    recorded((manifest) => ({
      ...manifest,
      phases: { ...manifest.phases, verify: { status: "in_progress", started_at: "", completed_at: "" } },
    })),
  "a step that goes back": () => recorded((manifest) => withStep(manifest, "five", { status: "pending" })),
  "a step that was tried fewer times than before": () =>
    recorded((manifest) => withStep(manifest, "five", { attempts: 0 })),
  "a phase that began before its gate (I6)": () =>
    recorded(
      (manifest) => ({
        ...manifest,
        phases: { ...manifest.phases, migrate: { status: "pending", started_at: "", completed_at: "" } },
      }),
      "rollback",
    ),
  "a completed step without its commit (I3)": () =>
    recorded((manifest) => withStep(manifest, "five", { commit: manifest.base_commit })),
  "a commit of no step (I3)": () => committed("-m", "mine"),
  "a commit of another migration's step (I3)": () =>
    committed("-m", "mine\n\nTowpath-Migration: mig_other\nTowpath-Step: five"),
  "a branch that is not where it was left (I5)": () =>
    recorded((manifest) =>
      manifest.base_commit === undefined ? manifest : { ...manifest, head: manifest.base_commit },
    ),
  "a checkpoint without its tag (I4)": async () => {
    const tag = `towpath/${ground.id}/three/pre`;
    const commit = await git("rev-parse", tag);
    await git("tag", "--delete", tag);
    return () => git("tag", tag, commit);
  },
  "a checkpoint's tag on another commit (I4)": async () => {
    const tag = `towpath/${ground.id}/three/pre`;
    const commit = await git("rev-parse", tag);
    await git("tag", "--force", tag, branch());
    return () => git("tag", "--force", tag, commit);
  },
  "a tag without its record (I4)": async () => {
    const tag = `towpath/${ground.id}/six/pre`;
    await git("tag", tag, branch());
    return () => git("tag", "--delete", tag);
  },
  "undone work without its record (I4)": async () => {
    const tag = `towpath/${ground.id}/undone/1`;
    await git("tag", tag, branch());
    return () => git("tag", "--delete", tag);
  },
  "a change in the user's checkout": () => lying(ground.repository.path, "mine.txt"),
  "a change in the user's index": async () => {
    const undo = await lying(ground.repository.path, "mine.txt");
    await git("add", "mine.txt");
    return async () => {
      await git("rm", "--cached", "--quiet", "mine.txt");
      await undo();
      await git("read-tree", "HEAD");
      await git("update-index", "--refresh");
      ground = { ...ground, before: await userSide(ground.repository) };
    };
  },
  "a ref of the user's that moved": async () => {
    await git("branch", "mine");
    return () => git("branch", "--delete", "mine");
  },
  "a setting in the user's repository": async () => {
    await git("config", "core.fsmonitor", "evil");
    return () => git("config", "--unset", "core.fsmonitor");
  },
  "a worktree that is left (I7)": async () => {
    const path = join(ground.dataDir, "workspaces", ground.id);
    await git("worktree", "add", "--detach", path);
    return () => git("worktree", "remove", path);
  },
  "a worktree's directory that is left (I7)": async () => {
    const path = join(ground.dataDir, "workspaces", ground.id);
    await mkdir(path, { recursive: true });
    return () => rm(path, { recursive: true });
  },
  "a lock of git's (I7)": () => lying(ground.repository.path, ".git", "refs/heads/towpath.lock"),
  "a lock of the store's (I7)": async () => {
    const { lock } = store.paths(ground.id);
    await mkdir(lock);
    return () => rm(lock, { recursive: true });
  },
  "a staged file (I7)": () => lying(store.paths(ground.id).staging, "x"),
  "a temporary file of a migration that was being made (I7)": () =>
    lying(ground.dataDir, "migrations", ".new-0-0-0"),
  "a temporary file of the server's (I7)": () => lying(ground.dataDir, "server", "state.json.1.ab.tmp"),
  "a lock of the requirements document's (I7)": async () => {
    const lock = join(ground.repository.path, ".towpath", "state", ".prd-lock");
    await mkdir(lock, { recursive: true });
    return () => rm(lock, { recursive: true });
  },
  "a process of the migration's (I7)": async () => {
    const child = spawn("sleep", ["600"], { env: { [MARK_VARIABLE]: `towpath-${ground.id}` } });
    await once(child, "spawn");
    return async () => {
      const gone = once(child, "exit");
      child.kill("SIGKILL");
      await gone;
    };
  },
  "a lease that nobody holds any more (I7)": () =>
    recorded((manifest) => ({ ...manifest, lease: { step: "five", attempt: 1, turn: 1, execution: 1 } })),
};

describe("the checker of the fault tests", () => {
  it.each(Object.entries(BREAKAGES))("finds %s", async (_, inflict) => {
    const makeGood = await inflict();
    await expect(checkInvariants(ground, ground.id)).rejects.toThrow(/^expected |is damaged/);
    await makeGood();
    await checkInvariants(ground, ground.id);
  });

  it("finds a history that this version would have written otherwise (I9)", async () => {
    const path = fileURLToPath(new URL("../histories/straight-through.json", import.meta.url));
    const Event = z.looseObject({
      activityTaskScheduledEventAttributes: z
        .looseObject({ activityType: z.looseObject({ name: z.string() }) })
        .optional(),
    });
    const history = z.looseObject({ events: z.array(Event) }).parse(JSON.parse(await readFile(path, "utf8")));
    await replayHistory(history, "as-it-was");
    const last = history.events.findLast((event) => event.activityTaskScheduledEventAttributes !== undefined);
    const scheduled = last?.activityTaskScheduledEventAttributes;
    if (scheduled === undefined) throw new Error("no activity in the history");
    scheduled.activityType.name = "startPhase";
    await expect(replayHistory(history, "changed")).rejects.toThrow("Nondeterminism");
  });

  it("finds a secret in files and in what git compressed (I10)", async () => {
    const secret = "canary-51c0ffee";
    const file = join(ground.dataDir, "hidden.bin");
    expect(await whereIs(secret, [ground.dataDir])).toEqual([]);
    expect(await isInGit(secret, ground.repository)).toBe(false);
    await writeFile(file, Buffer.concat([Buffer.from([0, 255]), Buffer.from(secret)]));
    expect(await whereIs(secret, [ground.dataDir])).toEqual([file]);
    await rename(file, join(ground.repository.path, ".git", "stray"));
    await git("hash-object", "-w", join(ground.repository.path, ".git", "stray"));
    expect(await isInGit(secret, ground.repository)).toBe(true);
  });
});
