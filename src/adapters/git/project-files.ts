import { join } from "node:path";
import { lstatIfPresent } from "./files.js";
import { rawPaths, readable, type RawPath } from "./paths.js";
import type { Repository } from "./places.js";
import { baseEnvironment, runGit, type GitPlace } from "./run.js";

/** A file of the project as git knows it; it may be missing on disk. */
export interface ProjectFile {
  /** Relative to the project's directory. */
  readonly path: RawPath;
  /** The commit that a submodule, or another repository inside the project, is on; null for a file. */
  readonly commit: string | null;
}

const SUBMODULE_MODE = "160000";

/**
 * Every file below the project's directory that is tracked, or untracked and not ignored, in the user's own checkout.
 * Nothing is written, and no program that the repository configures is run.
 * @throws TowpathError `GitFailed`
 */
export async function projectFiles(repo: Repository, signal?: AbortSignal): Promise<ProjectFile[]> {
  const place = checkoutPlace(repo);
  const [tracked, untracked] = await Promise.all([
    runGit(place, ["ls-files", "-z", "--stage"], { signal }),
    runGit(place, ["ls-files", "-z", "--others", "--exclude-standard"], { signal }),
  ]);
  const files = new Map<RawPath, string | null>();
  for (const record of rawPaths(tracked.stdout)) {
    const tab = record.indexOf("\t");
    const [mode, id = ""] = record.slice(0, tab).split(" ");
    files.set(record.slice(tab + 1), mode === SUBMODULE_MODE ? id : null);
  }
  for (const path of rawPaths(untracked.stdout)) {
    if (path.endsWith("/")) files.set(path.slice(0, -1), "");
    else files.set(path, null);
  }
  const found: ProjectFile[] = [];
  for (const [path, commit] of files) {
    found.push({ path, commit: commit === null ? null : await commitOf(place, path, commit, signal) });
  }
  return found;
}

function checkoutPlace({ root, gitDir, commonDir, prefix }: Repository): GitPlace {
  const env = { ...baseEnvironment(), GIT_DIR: gitDir, GIT_COMMON_DIR: commonDir, GIT_WORK_TREE: root };
  return { cwd: join(root, prefix), env };
}

/** What a nested repository has checked out; where it has none, what the index says. */
async function commitOf(
  place: GitPlace,
  path: RawPath,
  recorded: string,
  signal: AbortSignal | undefined,
): Promise<string> {
  const gitDir = join(place.cwd, readable(path), ".git");
  if (lstatIfPresent(gitDir) === null) return recorded;
  // Named, not discovered: from a broken repository git would go up to the one around it.
  const nested = { cwd: place.cwd, env: { ...baseEnvironment(), GIT_DIR: gitDir } };
  const args = ["rev-parse", "--verify", "--quiet", "HEAD^{commit}"];
  const { exitCode, stdout } = await runGit(nested, args, { signal, accept: [0, 1, 128] });
  return exitCode === 0 ? stdout.toString("utf8").trim() : recorded;
}
