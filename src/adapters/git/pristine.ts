import { lstatSync } from "node:fs";
import { join } from "node:path";
import { readIfPresent } from "./files.js";
import { stampOf } from "./index-file.js";
import type { Listing } from "./listing.js";
import type { TreePaths } from "./nested.js";
import { branchRef, privateIndex, type Worktree } from "./places.js";

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
  /** Tells the state of the patterns beside the worktree: what they let through, nobody has to write. */
  readonly excludeStamp: string;
  /** All files, also those that are ignored. */
  readonly listing: Listing;
}

/** Notes that the worktree is the commit's, as was just found. */
export function notePristine(worktree: Worktree, found: Omit<Pristine, keyof Stamps>): Pristine {
  return { ...found, ...stampsNow(worktree) };
}

type Stamps = Pick<Pristine, "indexStamp" | "excludeStamp">;

function stampsNow(worktree: Worktree): Stamps {
  return {
    indexStamp: stampOf(privateIndex(worktree)) ?? "",
    excludeStamp: stampOf(join(worktree.commonDir, "info", "exclude")) ?? "",
  };
}

/** Whether Towpath's index, and what is ignored, still are what was noted: a step on the host could have written there. */
export function isAsNoted(worktree: Worktree, { indexStamp, excludeStamp }: Stamps): boolean {
  const now = stampsNow(worktree);
  return indexStamp !== "" && now.indexStamp === indexStamp && now.excludeStamp === excludeStamp;
}

/**
 * Whether directory, HEAD and branch are still there as they were noted, by a few small files: what git would be asked
 * for by three processes. A branch that has been packed meanwhile is answered by no.
 */
export function isStillThere(worktree: Worktree, { commit }: Pristine): boolean {
  const ref = branchRef(worktree);
  if (lstatSync(worktree.path, { throwIfNoEntry: false })?.isDirectory() !== true) return false;
  const isOnBranch = readIfPresent(join(worktree.gitDir, "HEAD")) === `ref: ${ref}\n`;
  return isOnBranch && readIfPresent(join(worktree.commonDir, ref)) === `${commit}\n`;
}
