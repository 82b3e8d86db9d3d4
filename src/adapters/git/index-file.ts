import { stat } from "node:fs/promises";
import { join } from "node:path";
import { copyIndex, isMissing, readIfPresent, replaceFile } from "./files.js";
import { privateIndex, stepIndex, type Worktree } from "./places.js";

/** Gives the step the index that Towpath worked with, so that both agree. */
export async function publishIndex(worktree: Worktree): Promise<void> {
  await copyIndex(privateIndex(worktree), stepIndex(worktree));
  await replaceFile(stampFile(worktree), (await stampOf(worktree)) ?? "");
}

/** Whether a step has used git on its index since `publishIndex`. */
export async function isIndexTouched(worktree: Worktree): Promise<boolean> {
  const stamp = await stampOf(worktree);
  return stamp !== null && stamp !== (await readIfPresent(stampFile(worktree)));
}

function stampFile(worktree: Worktree): string {
  return join(worktree.gitDir, "towpath-index-stamp");
}

async function stampOf(worktree: Worktree): Promise<string | null> {
  try {
    const { ino, size, mtimeNs, ctimeNs } = await stat(stepIndex(worktree), { bigint: true });
    return [ino, size, mtimeNs, ctimeNs].join(" ");
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}
