import { lstatSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { stampOf } from "./index-file.js";
import type { Listing } from "./listing.js";
import type { TreePaths } from "./nested.js";
import { branchRef, privateIndex, type Worktree } from "./places.js";
import { isMissing } from "../../model/system-errors.js";

/**
 * A worktree as Towpath left it: HEAD on its branch at the commit, Towpath's index and the files the commit's, nothing
 * besides. Knowing it saves looking again; it holds until somebody else may have been there.
 */
export interface Pristine {
  readonly commit: string;
  readonly tree: string;
  readonly paths: TreePaths;
  /** Tells the state of Towpath's own index. */
  readonly indexStamp: string;
  /** All files, also those that are ignored. */
  readonly listing: Listing;
}

/** Notes that the worktree is the commit's, as was just found. */
export function notePristine(worktree: Worktree, found: Omit<Pristine, "indexStamp">): Pristine {
  return { ...found, indexStamp: stampOf(privateIndex(worktree)) ?? "" };
}

/** Whether Towpath's index is still the one that was noted: a step on the host could have written there. */
export function isIndexAsNoted(worktree: Worktree, { indexStamp }: Pick<Pristine, "indexStamp">): boolean {
  return indexStamp !== "" && stampOf(privateIndex(worktree)) === indexStamp;
}

/**
 * Whether directory, HEAD and branch are still there as they were noted, by a few small files: what git would be asked
 * for by three processes. A branch that has been packed meanwhile is answered by no.
 */
export function isStillThere(worktree: Worktree, { commit }: Pristine): boolean {
  const ref = branchRef(worktree);
  if (lstatSync(worktree.path, { throwIfNoEntry: false })?.isDirectory() !== true) return false;
  const isOnBranch = textNow(join(worktree.gitDir, "HEAD")) === `ref: ${ref}\n`;
  return isOnBranch && textNow(join(worktree.commonDir, ref)) === `${commit}\n`;
}

/** Synchronous: a few bytes are read sooner than the thread pool answers. */
function textNow(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}
