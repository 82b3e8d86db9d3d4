import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { chmod, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, describe, expect, it } from "vitest";
import { createMigrationId } from "../../src/model/ids.js";
import type { migration } from "../../src/workflows/migration.js";
import * as contract from "../../src/workflows/migration.contract.js";
import { cleanUp, type MigrationHandle, workbench, type Workbench } from "../support/migrations.js";
import { checkInvariants, type Scene, userSide } from "./invariants.js";
import { waitsFor } from "./support/waiting.js";
import { FIVE_STEP_FILES, FIVE_STEP_TEXT, FIVE_STEPS } from "./support/fleet.js";

const cleanups: (() => Promise<void>)[] = [];
afterAll(() => cleanUp(cleanups));

const LIMIT_MS = 900_000;

/** The five steps, with a person who lets the migration into `migrate`. */
const BY_HAND = FIVE_STEPS.replace("guardrail: {", "guardrail: { manual: true,");

interface Waiting {
  readonly bench: Workbench;
  readonly handle: MigrationHandle;
  readonly scene: Scene;
  readonly branch: string;
}

async function waitingMigration(): Promise<Waiting> {
  const bench = await workbench(cleanups, FIVE_STEP_FILES);
  const scene = { ...bench, before: await userSide(bench.repository) };
  const handle = await bench.start(BY_HAND);
  await waitsFor(handle, "advance");
  return { bench, handle, scene, branch: `towpath/${handle.workflowId}` };
}

/** Asks for the next phase; what becomes of that is seen in what the migration waits for. */
function advance(handle: MigrationHandle): void {
  const request = { args: [{ phase: "guardrail", by: "ada" }] as [{ phase: string; by: string }] };
  handle.executeUpdate(contract.advance, request).catch(() => undefined);
}

/** Asks again where the damage cost the first request its answer. */
async function advanceAgain(handle: MigrationHandle): Promise<void> {
  for (;;) {
    const { status, phase, waiting } = await handle.query(contract.progress);
    if (status === "completed" || phase !== "guardrail") return;
    if (waiting?.kind === "advance") advance(handle);
    await delay(200);
  }
}

async function expectCompleted({ bench, handle, scene, branch }: Waiting): Promise<void> {
  await expect(handle.result()).resolves.toMatchObject({ status: "completed" });
  await checkInvariants(scene, handle);
  expect(await bench.repository.git("show", `${branch}:steps.txt`)).toBe(FIVE_STEP_TEXT);
}

interface Damage {
  /** Does the damage; answers how it is made good. */
  readonly inflict: (waiting: Waiting) => Promise<() => Promise<unknown>>;
  readonly message: RegExp;
}

const DAMAGES: Record<string, Damage> = {
  "a tag of a checkpoint's name by somebody else": {
    inflict: async ({ bench: { repository }, branch }) => {
      const other = await repository.git("commit-tree", "-m", "other", "HEAD^{tree}");
      await repository.git("tag", `${branch}/three/pre`, other);
      return () => repository.git("tag", "--delete", `${branch}/three/pre`);
    },
    message: /the tag towpath\/.*\/three\/pre already exists on .*: somebody else made it/,
  },
  "a branch that the user moved": {
    inflict: async ({ bench: { repository }, branch }) => {
      const before = await repository.git("rev-parse", branch);
      const own = await repository.git("commit-tree", "-p", branch, "-m", "mine", "HEAD^{tree}");
      await repository.git("update-ref", `refs/heads/${branch}`, own);
      return () => repository.git("update-ref", `refs/heads/${branch}`, before);
    },
    message: /Somebody moved the migration's branch: .*git update-ref/,
  },
  "a branch that the user deleted": {
    inflict: async ({ bench: { repository }, branch }) => {
      const before = await repository.git("rev-parse", branch);
      await repository.git("update-ref", "-d", `refs/heads/${branch}`);
      return () => repository.git("update-ref", `refs/heads/${branch}`, before);
    },
    message: /Somebody moved the migration's branch: .*git update-ref/,
  },
  "a repository that was moved away": {
    inflict: async ({ bench: { repository } }) => {
      await rename(repository.path, `${repository.path}-moved`);
      return () => rename(`${repository.path}-moved`, repository.path);
    },
    message: /project does not exist/,
  },
  "a damaged object": {
    inflict: async ({ bench: { repository } }) => {
      const tree = await repository.git("rev-parse", "HEAD^{tree}");
      const path = join(repository.path, ".git/objects", tree.slice(0, 2), tree.slice(2));
      const bytes = await readFile(path);
      await chmod(path, 0o644);
      await writeFile(path, bytes.subarray(0, 5));
      return () => writeFile(path, bytes);
    },
    message: /git \S+ failed|Git rollback failed/,
  },
};

describe.concurrent("a migration meets", () => {
  it.each(Object.entries(DAMAGES))(
    "%s: it says so, waits, and goes on when that is made good",
    async (_, { inflict, message }) => {
      const waiting = await waitingMigration();
      const { handle } = waiting;
      const makeGood = await inflict(waiting);
      advance(handle);
      const { waiting: blocked } = await waitsFor(handle, "blocked");
      expect(blocked?.message).toMatch(message);
      await makeGood();
      await handle.executeUpdate(contract.retry, { args: [{ by: "ada" }] });
      await advanceAgain(handle);
      await expectCompleted(waiting);
    },
    LIMIT_MS,
  );

  it(
    "a worktree that somebody deleted: it is laid and prepared anew",
    async () => {
      const waiting = await waitingMigration();
      const { bench, handle } = waiting;
      await rm(join(bench.dataDir, "workspaces", handle.workflowId), { recursive: true });
      advance(handle);
      await expectCompleted(waiting);
    },
    LIMIT_MS,
  );

  it(
    "git locks that were left behind: its own go, the user's stays",
    async () => {
      const waiting = await waitingMigration();
      const { bench, handle, branch } = waiting;
      const git = join(bench.repository.path, ".git");
      const own = ["index.lock", "HEAD.lock", "towpath-index.lock"].map((name) =>
        join(git, "worktrees", handle.workflowId, name),
      );
      const ref = join(git, `refs/heads/${branch}.lock`);
      for (const lock of [...own, ref, join(git, "index.lock")]) await writeFile(lock, "");
      advance(handle);
      await expect(handle.result()).resolves.toMatchObject({ status: "completed" });
      expect(existsSync(join(git, "index.lock"))).toBe(true);
      await rm(join(git, "index.lock"));
      await expectCompleted(waiting);
    },
    LIMIT_MS,
  );

  it(
    "a branch of its name by somebody else: it leaves that alone and says so",
    async () => {
      const bench = await workbench(cleanups, FIVE_STEP_FILES);
      const { repository, client, host } = bench;
      const id = createMigrationId({ now: new Date(), codebase: "project", random: randomBytes(3) });
      const other = await repository.git("commit-tree", "-m", "other", "HEAD^{tree}");
      await repository.git("branch", `towpath/${id}`, other);
      const handle = await client.workflow.start<typeof migration>(contract.MIGRATION_WORKFLOW, {
        workflowId: id,
        taskQueue: host.workflowQueue,
        args: [
          {
            migrationId: id,
            name: "test",
            target: "next",
            hostId: host.hostId,
            source: repository.path,
            spec: { fileName: "towpath.yaml", text: FIVE_STEPS },
            params: {},
            manual: false,
            allowHost: true,
            author: { name: "Ada", email: "ada@example.org" },
            startedBy: "ada",
          },
        ],
      });
      const blocked = await waitsFor(handle, "blocked");
      expect(blocked.waiting?.message).toMatch(
        /the branch towpath\/.* already exists at .*rename or delete it/,
      );
      expect(await repository.git("rev-parse", `towpath/${id}`)).toBe(other);
      await repository.git("branch", "--move", `towpath/${id}`, "mine");
      const scene = { ...bench, before: await userSide(repository) };
      await handle.executeUpdate(contract.retry, { args: [{ by: "ada" }] });
      await expectCompleted({ bench, handle, scene, branch: `towpath/${id}` });
    },
    LIMIT_MS,
  );
});
