import { join } from "node:path";
import { baseEnvironment, type GitPlace } from "./run.js";

/** A repository of the user's, found once; plain JSON. */
export interface Repository {
  /** Top of the user's checkout. */
  readonly root: string;
  /** The checkout's own git directory: its HEAD lives here. */
  readonly gitDir: string;
  /** What all worktrees share: objects, refs, configuration. */
  readonly commonDir: string;
  /** The project's directory below `root`, `/` between parts; `""` when it is the top. */
  readonly prefix: string;
}

/** A migration's own worktree; plain JSON. */
export interface Worktree {
  readonly path: string;
  readonly gitDir: string;
  readonly commonDir: string;
  /** Branch name without `refs/heads/`. */
  readonly branch: string;
  readonly migrationId: string;
  /** The project's directory below `path`; `""` when it is the top. */
  readonly prefix: string;
  /** Changes whenever the worktree is laid anew, and its ignored files are gone with the old one. */
  readonly incarnation: string;
}

/** Refs, objects and HEAD of the user's repository; no worktree, no index. */
export function repositoryPlace(repo: Pick<Repository, "gitDir" | "commonDir">): GitPlace {
  return {
    cwd: repo.commonDir,
    env: { ...baseEnvironment(), GIT_DIR: repo.gitDir, GIT_COMMON_DIR: repo.commonDir },
  };
}

/**
 * The migration's worktree under an index of our own: a step can leave the ordinary one locked, half merged, or with
 * entries marked so that git looks away from their files.
 */
export function worktreePlace(worktree: Worktree, excludesFile?: string): GitPlace {
  return {
    cwd: worktree.path,
    env: {
      ...baseEnvironment(),
      GIT_DIR: worktree.gitDir,
      GIT_COMMON_DIR: worktree.commonDir,
      GIT_WORK_TREE: worktree.path,
      GIT_INDEX_FILE: privateIndex(worktree),
    },
    ...(excludesFile === undefined ? {} : { excludesFile }),
  };
}

export function privateIndex(worktree: Worktree): string {
  return join(worktree.gitDir, "towpath-index");
}

export function stepIndex(worktree: Worktree): string {
  return join(worktree.gitDir, "index");
}

export function branchRef(worktree: Pick<Worktree, "branch">): string {
  return `refs/heads/${worktree.branch}`;
}
