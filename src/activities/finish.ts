import { stat } from "node:fs/promises";
import { deleteTag, listTags } from "../adapters/git/refs.js";
import { openRepository } from "../adapters/git/repository.js";
import { findWorktree, removeWorktree } from "../adapters/git/worktree.js";
import { settleLocks } from "../adapters/git/locks.js";
import { undo } from "../adapters/git/undo.js";
import type { Repository, Worktree } from "../adapters/git/places.js";
import { killMarked } from "../adapters/process/run-command.js";
import { migrationBranch, stepOfCheckpointTag } from "../model/ids.js";
import { headOf, type Manifest } from "../model/manifest.js";
import { tallyOf } from "../model/tally.js";
import { renderVerificationReport } from "../model/verification-report.js";
import { processMark } from "./commands.js";
import { reapLeft } from "./containers.js";
import type { FinishMigration, FinishResult } from "./contract.js";
import { projectPlanFile } from "./decisions.js";
import { heartbeating } from "./heartbeat.js";
import { excludeOf, type Host, worktreePath } from "./host.js";
import { forgetWorktree } from "./known-worktrees.js";
import { publishBranch } from "./remote.js";
import { setAside } from "./workspace.js";
import { hasCode } from "../model/system-errors.js";

const REPORT_NAME = "verification-report.md";

/**
 * Ends a migration: processes, worktree and half-made tags go; branch, checkpoints, logs and evidence stay. Uncommitted
 * work in the worktree is kept under a tag.
 */
export function finish(host: Host, input: FinishMigration): Promise<FinishResult> {
  return heartbeating(async (signal) => {
    forgetWorktree(host, input.migrationId);
    await killMarked(processMark(input.migrationId));
    const before = await host.store.readManifest(input.migrationId);
    await reapLeft(host, before);
    const head = await leaveRepository(host, before, input.operation, signal);
    await publishBranch(host, before, signal);
    const { manifest } = await host.store.updateManifest(input.migrationId, input.operation, (current) => ({
      manifest: {
        ...current,
        status: input.status,
        outcome: input.reason,
        waiting_for: null,
        lease: null,
        ...(head === null ? {} : { head }),
      },
      result: null,
    }));
    if (manifest.mode === "spec") await projectPlanFile(host, manifest.id);
    const report = input.status === "completed" ? await writeReport(host, manifest) : null;
    await host.store.sweep(manifest.id);
    await host.store.publish(manifest.id);
    await host.store.pack(manifest.id);
    const branch = migrationBranch(manifest.id);
    return { tally: tallyOf(manifest), branch, head: manifest.head ?? "", report };
  });
}

async function writeReport(host: Host, manifest: Manifest): Promise<string> {
  const features = (await host.store.readArtefact(manifest.id, "features")) ?? [];
  const text = renderVerificationReport(manifest, manifest.head ?? "", features);
  return await host.store.writeDocument(manifest.id, "docs", REPORT_NAME, text);
}

/** @returns the head that the branch is left on; null where there is no worktree (any more) */
async function leaveRepository(
  host: Host,
  manifest: Manifest,
  operation: string,
  signal: AbortSignal,
): Promise<string | null> {
  if (manifest.base_commit === undefined || !(await exists(manifest.source_info.path))) return null;
  const repo = await openRepository(manifest.source_info.path, signal);
  const path = worktreePath(host.dataDir, manifest.id);
  const worktree = await findWorktree(repo, path);
  const head = worktree === null ? null : await leaveWorktree(host, manifest, worktree, operation, signal);
  await removeWorktree({ repo, path });
  await deleteUnrecordedCheckpoints(repo, manifest);
  return head;
}

async function leaveWorktree(
  host: Host,
  manifest: Manifest,
  worktree: Worktree,
  operation: string,
  signal: AbortSignal,
): Promise<string> {
  await settleLocks(worktree, signal);
  const exclude = await excludeOf(host, manifest);
  if (Object.values(manifest.steps ?? {}).some(({ status }) => status === "in_progress")) {
    await undo({ worktree, commit: headOf(manifest), exclude, signal });
    return headOf(manifest);
  }
  return await setAside(host, { manifest, exclude }, worktree, operation, signal);
}

/** A tag without a record is one whose maker died in between. */
async function deleteUnrecordedCheckpoints(repo: Repository, manifest: Manifest): Promise<void> {
  for (const { name, commit } of await listTags(repo, migrationBranch(manifest.id))) {
    const isCheckpoint = stepOfCheckpointTag(name) !== null;
    if (isCheckpoint && !manifest.checkpoints.includes(name)) {
      await deleteTag({ repo, tag: name, expected: commit });
    }
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (hasCode(error, "ENOENT")) return false;
    throw error;
  }
}
