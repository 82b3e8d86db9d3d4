import { statSync } from "node:fs";
import { join } from "node:path";
import { copyIndex, readIfPresent, replaceFile } from "./files.js";
import { privateIndex, stepIndex, type Worktree } from "./places.js";
import { isMissing } from "../../model/system-errors.js";

/** Gives the step the index that Towpath worked with, so that both agree; nothing is written where they still do. */
export function publishIndex(worktree: Worktree): void {
  const own = stampOf(privateIndex(worktree)) ?? "";
  if (own !== "" && readIfPresent(stampFile(worktree)) === stampsOf(worktree, own)) return;
  copyIndex(privateIndex(worktree), stepIndex(worktree));
  replaceFile(stampFile(worktree), stampsOf(worktree, own));
}

/** The step's index in the first line, in the second the one of Towpath's that it was copied from. */
function stampsOf(worktree: Worktree, own: string): string {
  return `${stampOf(stepIndex(worktree)) ?? ""}\n${own}\n`;
}

/** Whether a step has used git on its index since `publishIndex`. */
export function isIndexTouched(worktree: Worktree): boolean {
  const stamp = stampOf(stepIndex(worktree));
  return stamp !== null && stamp !== readIfPresent(stampFile(worktree))?.split("\n", 1)[0];
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
