import { askKept } from "./kept-process.js";
import type { Repository, Worktree } from "./places.js";

export interface RefUpdate {
  readonly ref: string;
  readonly to: string;
  /** What it is now; zeros: there is none. */
  readonly expected: string;
}

/** What needs no quoting on git's input. */
const PLAIN_REF = /^refs\/[A-Za-z0-9._/-]+$/;

/** Said behind each transaction that was carried out. */
const DONE = "commit: ok";

/**
 * Moves a ref by a process that is kept.
 * @returns false where that is not known to have happened: whoever asks has to look, or try it otherwise
 */
export async function updateByKeptProcess(
  home: Pick<Repository | Worktree, "gitDir" | "commonDir">,
  reason: string,
  { ref, to, expected }: RefUpdate,
): Promise<boolean> {
  if (!PLAIN_REF.test(ref)) return false;
  const lines = ["start", "option no-deref", `update ${ref} ${to} ${expected}`, "prepare", "commit", ""];
  const args = ["update-ref", "-m", reason, "--stdin"];
  return (await askKept(home, args, (line) => line === DONE, lines.join("\n"))) !== null;
}
