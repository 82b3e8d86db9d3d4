import { stat } from "node:fs/promises";
import { join } from "node:path";
import { copyIndex, readIfPresent, replaceFile } from "./files.js";
import { privateIndex, stepIndex, type Worktree } from "./places.js";
import { isMissing } from "../../model/system-errors.js";

/** Gives the step the index that Towpath worked with, so that both agree. */
export async function publishIndex(worktree: Worktree): Promise<void> {
  await copyIndex(privateIndex(worktree), stepIndex(worktree));
  await replaceFile(stampFile(worktree), (await stampOf(stepIndex(worktree))) ?? "");
}

/** Whether a step has used git on its index since `publishIndex`. */
export async function isIndexTouched(worktree: Worktree): Promise<boolean> {
  const stamp = await stampOf(stepIndex(worktree));
  return stamp !== null && stamp !== (await readIfPresent(stampFile(worktree)));
}

function stampFile(worktree: Worktree): string {
  return join(worktree.gitDir, "towpath-index-stamp");
}

/** Tells one state of an index from another without reading it; null where there is none. */
export async function stampOf(index: string): Promise<string | null> {
  try {
    const { ino, size, mtimeNs, ctimeNs } = await stat(index, { bigint: true });
    return [ino, size, mtimeNs, ctimeNs].join(" ");
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}
