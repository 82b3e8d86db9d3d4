import { lstatSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { Expected } from "./commit.js";
import { writeExcludes } from "./exclude.js";
import { readIfPresent } from "./files.js";
import { isIndexTouched, publishIndex } from "./index-file.js";
import { isAsListed, listAgain } from "./listing.js";
import { onDisk, type RawPath } from "./paths.js";
import { branchRef, worktreePlace, type Worktree } from "./places.js";
import { isAsNoted, notePristine, type Pristine } from "./pristine.js";
import { foreign, moveRef, STEP_REASON } from "./refs.js";
import { differences } from "./status.js";
import { isLinked, restoreAccess, undo, unfinishedWork } from "./undo.js";
import { requireDirectory } from "./worktree.js";
import { hasCode } from "../../model/system-errors.js";

export interface AdvanceRequest {
  readonly worktree: Worktree;
  readonly from: string;
  readonly to: string;
  /** What is known of the commit that the branch goes to, if Towpath's index is at it: then one look may do. */
  readonly expected?: Expected | null | undefined;
  /** Gitignore patterns of what is never removed, relative to the project's directory. */
  readonly exclude?: readonly string[] | undefined;
  /** Called before everything that changes something; throws when the worktree has passed to somebody else. */
  readonly guard?: (() => Promise<void>) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Moves the migration's branch from one commit to another, and brings HEAD, index and files to it, as `undo` does:
 * what the step's last commands left besides is gone. Already there is success.
 * @returns what the worktree is now; null in a project with submodules, which are looked at anew each time
 * @throws TowpathError `ForeignEffect` when the branch is at a third commit
 */
export async function advanceBranch(request: AdvanceRequest): Promise<Pristine | null> {
  const { worktree, to, exclude, guard, signal } = request;
  requireDirectory(worktree);
  await guard?.();
  await moveBranch(request);
  return (await look(request)) ?? undo({ worktree, commit: to, exclude, guard, signal });
}

/**
 * Whether a worktree still is what it was found to be, by one git process; whoever was there since shows in files,
 * index, HEAD or branch.
 * @returns what it is; null where anything differs, which `undo` then has to find out
 */
export async function stillPristine(
  worktree: Worktree,
  pristine: Pristine,
  exclude: readonly string[],
  signal?: AbortSignal,
): Promise<Pristine | null> {
  const { commit, tree, paths, listing } = pristine;
  if (isIndexTouched(worktree) || !isAsNoted(worktree, pristine)) return null;
  const expected = { tree, paths, listing, isSeen: false };
  return look({ worktree, from: commit, to: commit, expected, exclude, signal });
}

async function moveBranch({ worktree, from, to, signal }: AdvanceRequest): Promise<void> {
  const ref = branchRef(worktree);
  const answer = await moveRef({ repo: worktree, ref, to, from, reason: STEP_REASON, signal });
  if (typeof answer === "string") return;
  throw foreign(
    `the branch ${worktree.branch} is at ${answer.actual ?? "no commit"}, not at ${from}: somebody else moved it`,
    worktree.branch,
    answer.actual,
  );
}

/**
 * Finds out that there is nothing to undo: what `undo` would bring in order is in order. It takes one git process, unless
 * the files were seen already or are as they were listed. Anything that is not as it should be is left for `undo` to find.
 */
async function look(request: AdvanceRequest): Promise<Pristine | null> {
  const { worktree, to, expected, exclude = [], guard, signal } = request;
  if (!expected || !isOrderly(worktree)) return null;
  const { tree, paths, listing } = expected;
  const isListed = isAsListed(worktree, listing);
  if (!isListed && isPlanted(worktree, paths.directories)) return null;
  await guard?.();
  publishIndex(worktree);
  if (isListed || expected.isSeen) return notePristine(worktree, { tree, paths, listing, commit: to });
  const place = worktreePlace(worktree, writeExcludes(worktree, exclude));
  const { isEmpty } = await differences({ worktree, commit: to, place, untracked: true, signal });
  await restoreAccess(worktree, paths);
  return isEmpty
    ? notePristine(worktree, { tree, paths, listing: listAgain(worktree, listing), commit: to })
    : null;
}

/** No link, lock, half-done merge or strange HEAD: what is told by the git directory's own files. */
function isOrderly(worktree: Worktree): boolean {
  const names = readdirSync(worktree.gitDir);
  const head = readIfPresent(join(worktree.gitDir, "HEAD"));
  const isLocked = names.some((name) => name.endsWith(".lock"));
  return (
    isLinked(worktree) &&
    !isLocked &&
    unfinishedWork(names).length === 0 &&
    head === `ref: ${branchRef(worktree)}\n`
  );
}

/** Whether a tracked directory was made a repository of its own, which git does not tell. */
function isPlanted(worktree: Worktree, directories: readonly RawPath[]): boolean {
  return directories.some((directory) => mayExist(onDisk(worktree, `${directory}/.git`)));
}

/** Synchronous: thousands of these are quicker so than one at a time through the thread pool. */
function mayExist(path: Buffer): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch (error) {
    if (hasCode(error, "EACCES", "ELOOP", "ENAMETOOLONG")) return true;
    throw error;
  }
}
