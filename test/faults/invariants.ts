import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import type { WorkflowClient } from "@temporalio/client";
import { Worker } from "@temporalio/worker";
import { inject, expect } from "vitest";
import { z } from "zod";
import { listProcesses } from "../../src/adapters/process/process-table.js";
import { MigrationStore } from "../../src/adapters/store/migration-store.js";
import { migrationBranch } from "../../src/model/ids.js";
import { entryFileName, readEntry, replay } from "../../src/model/manifest-chain.js";
import { Manifest, TERMINAL_STATUSES } from "../../src/model/manifest.js";
import { PHASES } from "../../src/model/phases.js";
import type { MigrationHandle } from "../support/migrations.js";
import type { TestRepository } from "../support/repository.js";
import { quietRuntime } from "../support/temporal.js";
import type { Onlooker } from "./support/onlooker.js";

/** What a migration ran on, with how the user's side of the repository looked before it. */
export interface Scene {
  readonly dataDir: string;
  readonly repository: TestRepository;
  /** From {@link userSide}. */
  readonly before: string;
  /** Of the migrations that were looked at all the while, by id. */
  readonly onlookers?: ReadonlyMap<string, Onlooker>;
}

/** Everything in a repository that is not Towpath's: checkout, index, stash, configuration, other refs. */
export async function userSide(repository: TestRepository): Promise<string> {
  const refs = await repository.git("for-each-ref", "--format=%(refname) %(objectname)");
  const others = refs.split("\n").filter((ref) => !/^refs\/(heads|tags)\/towpath\//.test(ref));
  return [await repository.snapshot(), ...others].join("\n");
}

/**
 * What must be so of every migration whatever died, was delivered twice or stood still (reference: reliability.md,
 * I1–I9). `isOver`: nothing of it runs any more, so that nothing may be left of it either.
 * @param of its handle; its id alone where no workflow ran whose history could replay
 */
export async function checkInvariants(
  scene: Scene,
  of: MigrationHandle | string,
  { isOver = true }: { readonly isOver?: boolean } = {},
): Promise<Manifest> {
  const id = typeof of === "string" ? of : of.workflowId;
  if (typeof of !== "string") await checkReplay(of.client, id, of.firstExecutionRunId);
  const store = new MigrationStore({ dataDir: scene.dataDir });
  const manifest = await store.readManifest(id);
  await checkChain(store, id);
  await checkBranch(scene.repository, manifest);
  await checkTags(scene.repository, manifest);
  expect(await userSide(scene.repository)).toBe(scene.before);
  if (isOver) {
    const onlooker = scene.onlookers?.get(id);
    await onlooker?.stop();
    expect(onlooker?.wrong() ?? []).toEqual([]);
    await checkNothingLeft(scene, manifest);
  }
  return manifest;
}

/** I1, I2, I6 and that no status goes back unasked. */
export async function checkChain(store: MigrationStore, id: string): Promise<void> {
  const { version, operations } = await store.verifyChain(id);
  expect(operations).toHaveLength(version);
  let document: unknown = null;
  let earlier: Manifest | null = null;
  const texts = await store.versionTexts(id);
  expect(texts).toHaveLength(version);
  for (const [index, text] of texts.entries()) {
    const number = index + 1;
    const entry = readEntry(text, entryFileName(number));
    document = replay(document, [entry]);
    const manifest = Manifest.parse(document);
    expect(manifest.revision).toBe(number);
    checkOrder(manifest);
    if (earlier !== null && !entry.operation.includes("rollback")) {
      expect([entry.operation, backwards(earlier, manifest)]).toEqual([entry.operation, []]);
    }
    earlier = manifest;
  }
}

const PHASE_RANK = { pending: 0, in_progress: 1, failed: 1, completed: 2 } as const;

function backwards(before: Manifest, after: Manifest): string[] {
  const found: string[] = [];
  if (TERMINAL_STATUSES.some((status) => status === before.status) && after.status !== before.status)
    found.push(`status ${after.status}`);
  for (const phase of PHASES) {
    const [was, is] = [before.phases[phase]?.status ?? "pending", after.phases[phase]?.status ?? "pending"];
    if (PHASE_RANK[is] < PHASE_RANK[was]) found.push(`${phase}: ${was} → ${is}`);
  }
  return [...found, ...stepsBackwards(before, after)];
}

/** What was done of the steps and is done no more. */
export function stepsBackwards(before: Manifest, after: Manifest): string[] {
  const found: string[] = [];
  for (const [step, record] of Object.entries(before.steps ?? {})) {
    const status = after.steps?.[step]?.status;
    if (record.status === "completed" && status !== "completed") found.push(`${step}: ${status ?? "gone"}`);
    if ((after.steps?.[step]?.attempts ?? 0) < record.attempts) found.push(`${step}: fewer attempts`);
  }
  return found;
}

/** Nothing of a phase before its gate. */
function checkOrder(manifest: Manifest): void {
  let isOpen = true;
  for (const phase of PHASES) {
    const status = manifest.phases[phase]?.status ?? "pending";
    if (!isOpen) expect([phase, status]).toEqual([phase, "pending"]);
    const begun = Object.values(manifest.steps ?? {}).filter(
      (record) => record.phase === phase && record.status !== "pending",
    );
    if (status === "pending") expect(begun).toEqual([]);
    isOpen = status === "completed";
  }
}

function trailer(key: string): string {
  return `%(trailers:key=${key},valueonly,separator=%x2C)`;
}

/** I3 and the half of I5 that concerns the head: one commit a completed step, in order, with its trailers. */
async function checkBranch(repository: TestRepository, manifest: Manifest): Promise<void> {
  if (manifest.base_commit === undefined) return;
  const branch = migrationBranch(manifest.id);
  const format = `%H %P ${trailer("Towpath-Migration")} ${trailer("Towpath-Step")}`;
  const range = `${manifest.base_commit}..refs/heads/${branch}`;
  const log = await repository.git("log", "--reverse", `--format=${format}`, range);
  const expected = (manifest.step_order ?? []).flatMap((step) => {
    const record = manifest.steps?.[step];
    if (record?.status !== "completed" || record.commit === undefined) return [];
    return [`${record.commit} ${record.base ?? ""} ${manifest.id} ${step}`];
  });
  expect(log === "" ? [] : log.split("\n")).toEqual(expected);
  expect(await repository.git("rev-parse", `refs/heads/${branch}`)).toBe(manifest.head);
}

/** I4: each recorded checkpoint has its tag and each tag its record; so have the heads that were undone. */
async function checkTags(repository: TestRepository, manifest: Manifest): Promise<void> {
  const prefix = `towpath/${manifest.id}`;
  const format = "--format=%(refname:strip=2) %(objectname)";
  const text = await repository.git("for-each-ref", format, `refs/tags/${prefix}`);
  const tags = text === "" ? [] : text.split("\n");
  const isUndone = (tag: string): boolean => tag.startsWith(`${prefix}/undone/`);
  const recorded = manifest.checkpoints.map((tag) => {
    const step = tag.split("/").at(-2) ?? "";
    return `${tag} ${manifest.steps?.[step]?.base ?? ""}`;
  });
  expect(tags.filter((tag) => !isUndone(tag)).sort()).toEqual(recorded.sort());
  const undone = tags.filter(isUndone).flatMap((tag) => tag.split(" ").slice(0, 1));
  expect(undone.sort()).toEqual([...(manifest.undone ?? [])].sort());
}

/** I7: no process, worktree, lock or temporary file. */
async function checkNothingLeft(scene: Scene, manifest: Manifest): Promise<void> {
  const mark = `towpath-${manifest.id}`;
  expect(listProcesses().filter((entry) => entry.mark() === mark)).toEqual([]);
  const worktrees = await scene.repository.git("worktree", "list", "--porcelain");
  expect(worktrees).not.toContain(manifest.id);
  expect(await exists(join(scene.dataDir, "workspaces", manifest.id))).toBe(false);
  expect((await filesBelow(scene.dataDir)).filter(isLeftover)).toEqual([]);
  expect((await filesBelow(join(scene.repository.path, ".git"))).filter(isGitLeftover)).toEqual([]);
  expect((await filesBelow(join(scene.repository.path, ".towpath"))).filter(isLeftover)).toEqual([]);
  expect(manifest.lease ?? null).toBeNull();
}

/** A lock, or a temporary file of one of the ways in which Towpath names them. */
function isLeftover(path: string): boolean {
  return /(^|\/)\.(tmp|new)-|(\.|-)lock$|\.tmp$|(^|\/)\.staging\//.test(path);
}

/** Git's locks, and what Towpath keeps beside a worktree's index. */
function isGitLeftover(path: string): boolean {
  return /\.lock$|(^|\/)towpath-/.test(path);
}

export async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/** Every path below a directory, directories included, relative to it. */
export async function filesBelow(directory: string): Promise<string[]> {
  return (await exists(directory)) ? await readdir(directory, { recursive: true }) : [];
}

const ContinuedAs = z.looseObject({
  workflowExecutionContinuedAsNewEventAttributes: z.looseObject({ newExecutionRunId: z.string() }).nullish(),
});

/** Every run of a migration, from its first one on, as Temporal has it. */
export async function historiesOf(client: WorkflowClient, id: string, firstRunId: string) {
  const histories = [];
  for (let runId: string | undefined = firstRunId; runId !== undefined && runId !== "";) {
    const history = await client.getHandle(id, runId).fetchHistory();
    histories.push(history);
    const last = ContinuedAs.safeParse(history.events?.at(-1));
    runId = last.success
      ? last.data.workflowExecutionContinuedAsNewEventAttributes?.newExecutionRunId
      : undefined;
  }
  return histories;
}

/** I9: all of a migration's history replays on this version's workflows. */
export async function checkReplay(client: WorkflowClient, id: string, firstRunId: string): Promise<void> {
  for (const history of await historiesOf(client, id, firstRunId)) await replayHistory(history, id);
}

export async function replayHistory(history: unknown, id: string): Promise<void> {
  quietRuntime();
  const workflowBundle = { code: await readFile(inject("workflowBundle"), "utf8") };
  await Worker.runReplayHistory({ workflowBundle }, history, id);
}

/** I10: a secret is in no file below these directories and in no git object, by path. */
export async function whereIs(secret: string, directories: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (const directory of directories) {
    for (const name of await filesBelow(directory)) {
      const path = join(directory, name);
      if (!(await stat(path)).isFile()) continue;
      if ((await readFile(path)).includes(secret)) found.push(path);
    }
  }
  return found;
}

/** I10 for what git compresses. */
export async function isInGit(secret: string, repository: TestRepository): Promise<boolean> {
  const all = await repository.git("cat-file", "--batch-all-objects", "--batch");
  return all.includes(secret);
}
