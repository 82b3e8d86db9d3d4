import { join } from "node:path";
import { rawPaths, readable } from "./paths.js";
import { type Worktree, worktreePlace } from "./places.js";
import { runGit } from "./run.js";

/** Paths of the files that the branch's head has in the project's directory, relative to it. */
export async function trackedFiles(worktree: Worktree, signal?: AbortSignal): Promise<string[]> {
  const place = { ...worktreePlace(worktree), cwd: join(worktree.path, worktree.prefix) };
  const { stdout } = await runGit(place, ["ls-tree", "-r", "-z", "--name-only", "HEAD"], { signal });
  return rawPaths(stdout).map(readable);
}
