import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { lstatIfPresent } from "./files.js";
import { branchRef, type Worktree } from "./places.js";
import { REF_LOCK_TIMEOUT_MS } from "./run.js";
import { isMissing } from "../../model/system-errors.js";

/**
 * Removes the locks that killed git processes left: those in the worktree's own git directory and those of the
 * migration's own branch and tags. Nothing else in the repository is looked at.
 * @param before locks made earlier than this are stale: no process of ours that may hold one has lived since
 * @returns the paths that were removed
 */
export async function removeStaleLocks(worktree: Worktree, before: Date): Promise<string[]> {
  const locks = [...(await worktreeLocks(worktree)), ...(await refLocks(worktree))];
  const removed: string[] = [];
  for (const lock of locks) {
    if (await removeIfOlder(lock, before.getTime())) removed.push(lock);
  }
  return removed;
}

/**
 * Leaves no lock behind once the step's processes are gone: the worktree's own at once, those of refs when they are
 * too old to be held by the user's garbage collection, or have been given back.
 */
export async function settleLocks(worktree: Worktree, signal?: AbortSignal): Promise<void> {
  for (const lock of await worktreeLocks(worktree)) await rm(lock, { force: true });
  for (const lock of await refLocks(worktree)) await settleRefLock(lock, signal);
}

async function settleRefLock(lock: string, signal?: AbortSignal): Promise<void> {
  while (lstatIfPresent(lock) !== null) {
    if (await removeIfOlder(lock, Date.now() - REF_LOCK_TIMEOUT_MS)) return;
    await delay(25, undefined, signal === undefined ? {} : { signal });
  }
}

/** Removes one lock file when it was made before `time`. */
export async function removeIfOlder(lock: string, time: number): Promise<boolean> {
  const found = lstatIfPresent(lock);
  if (found === null || found.mtimeMs >= time) return false;
  await rm(lock, { force: true });
  return true;
}

async function worktreeLocks(worktree: Worktree): Promise<string[]> {
  const entries = await directoryEntries(worktree.gitDir);
  return entries
    .filter((entry) => entry.isFile() && entry.name.endsWith(".lock"))
    .map((entry) => join(worktree.gitDir, entry.name));
}

async function refLocks(worktree: Worktree): Promise<string[]> {
  const branchLock = join(worktree.commonDir, `${branchRef(worktree)}.lock`);
  const own = ["heads", "tags"].map((kind) =>
    join(worktree.commonDir, "refs", kind, "towpath", worktree.migrationId),
  );
  const below = await Promise.all(own.map(locksBelow));
  return [...(lstatIfPresent(branchLock) === null ? [] : [branchLock]), ...below.flat()];
}

async function locksBelow(directory: string): Promise<string[]> {
  const found: string[] = [];
  for (const entry of await directoryEntries(directory)) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) found.push(...(await locksBelow(path)));
    else if (entry.name.endsWith(".lock")) found.push(path);
  }
  return found;
}

async function directoryEntries(path: string) {
  return readdir(path, { withFileTypes: true }).catch((error: unknown) => {
    if (isMissing(error)) return [];
    throw error;
  });
}
