import { statSync } from "node:fs";
import { join } from "node:path";
import { copyIndex, readIfPresent, replaceFile } from "./files.js";
import { privateIndex, stepIndex, type Worktree } from "./places.js";
import { isMissing } from "../../model/system-errors.js";

/** Gives the step the index that Towpath worked with, so that both agree. */
export function publishIndex(worktree: Worktree): void {
  copyIndex(privateIndex(worktree), stepIndex(worktree));
  replaceFile(stampFile(worktree), stampOf(stepIndex(worktree)) ?? "");
}

/** Whether a step has used git on its index since `publishIndex`. */
export function isIndexTouched(worktree: Worktree): boolean {
  const stamp = stampOf(stepIndex(worktree));
  return stamp !== null && stamp !== readIfPresent(stampFile(worktree));
}

function stampFile(worktree: Worktree): string {
  return join(worktree.gitDir, "towpath-index-stamp");
}

/** Tells one state of an index from another without reading it; null where there is none. */
export function stampOf(index: string): string | null {
  try {
    const { ino, size, mtimeNs, ctimeNs } = statSync(index, { bigint: true });
    return [ino, size, mtimeNs, ctimeNs].join(" ");
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}
