import { join } from "node:path";
import { readIfPresent, replaceFile } from "./files.js";
import { branchRef, repositoryPlace, type Worktree } from "./places.js";
import { gitText, runGit, type GitPlace } from "./run.js";

export interface HeadState {
  /** Null when HEAD names a branch that does not exist. */
  readonly commit: string | null;
  readonly tree: string | null;
  /** Without `refs/heads/`; null when HEAD is detached. */
  readonly branch: string | null;
}

/** What HEAD is in the migration's worktree. */
export async function headState(worktree: Worktree, signal?: AbortSignal): Promise<HeadState> {
  const place = repositoryPlace(worktree);
  const [branch, [commit = null, tree = null]] = await Promise.all([
    headBranch(worktree, signal),
    objectIds(place, ["HEAD^{commit}", "HEAD^{tree}"], signal),
  ]);
  return { commit, tree, branch };
}

/** How HEAD differs from where the migration left it, in words, or null when it does not. */
export function headDrift(
  state: HeadState,
  expected: { readonly branch: string; readonly commit: string },
): string | null {
  const at = state.commit ?? "no commit";
  if (state.branch === null) return `HEAD is detached at ${at}, expected on branch ${expected.branch}`;
  if (state.branch !== expected.branch) {
    return `HEAD is on branch ${state.branch}, expected on branch ${expected.branch}`;
  }
  if (state.commit !== expected.commit) {
    return `branch ${expected.branch} is at ${at}, expected at ${expected.commit}`;
  }
  return null;
}

/** The ids that the names stand for, null for each that names nothing; one process for all. */
export async function objectIds(
  place: GitPlace,
  names: readonly string[],
  signal?: AbortSignal,
): Promise<(string | null)[]> {
  const input = `${names.join("\n")}\n`;
  const text = await gitText(place, ["cat-file", "--batch-check=%(objectname)"], { input, signal });
  return text.split("\n").map((line) => (/^[0-9a-f]+$/.test(line) ? line : null));
}

/** Puts HEAD back on the migration's branch, whatever a step made of it. */
export async function attachHead(worktree: Worktree, signal?: AbortSignal): Promise<void> {
  const wanted = `ref: ${branchRef(worktree)}\n`;
  const path = join(worktree.gitDir, "HEAD");
  const present = readIfPresent(path);
  if (present === wanted) return;
  if (isReftableStub(present)) {
    await runGit(repositoryPlace(worktree), ["symbolic-ref", "HEAD", branchRef(worktree)], { signal });
  } else {
    // Not through git: it takes a directory whose HEAD is missing or garbled for no repository at all.
    replaceFile(path, wanted);
  }
}

async function headBranch(worktree: Worktree, signal?: AbortSignal): Promise<string | null> {
  const text = readIfPresent(join(worktree.gitDir, "HEAD"));
  if (!isReftableStub(text)) return /^ref: refs\/heads\/(.+)\n?$/.exec(text ?? "")?.[1] ?? null;
  const { stdout } = await runGit(repositoryPlace(worktree), ["symbolic-ref", "--quiet", "HEAD"], {
    signal,
    accept: [0, 1],
  });
  return /^refs\/heads\/(.+)\n$/.exec(stdout.toString("utf8"))?.[1] ?? null;
}

/** With the reftable format HEAD is a table's entry, and the file says this. */
function isReftableStub(text: string | null): boolean {
  return text === "ref: refs/heads/.invalid\n";
}
