import { hasBlobBytes, rawPaths, readable, type RawPath } from "./paths.js";
import type { Worktree } from "./places.js";
import { runGit, type GitPlace } from "./run.js";

export interface Differences {
  readonly isEmpty: boolean;
  /** HEAD, the index or a tracked file differs. */
  readonly isTracked: boolean;
  /** There are files that are neither tracked nor ignored. */
  readonly isUntracked: boolean;
  /** The tracked files that differ when nothing else does: HEAD and the index are the commit's. */
  readonly onlyFiles: readonly RawPath[] | null;
  readonly paths: readonly string[];
}

/** What keeps branch, HEAD, index and files from being the commit. */
export async function differences(request: {
  readonly worktree: Worktree;
  readonly commit: string;
  readonly place: GitPlace;
  /** Whether untracked files count. */
  readonly untracked: boolean;
  readonly signal?: AbortSignal | undefined;
}): Promise<Differences> {
  const { worktree, commit, place, untracked, signal } = request;
  const options = ["--porcelain=v2", "--branch", "-z", "--no-renames", "--no-ahead-behind"];
  const kinds = [`--untracked-files=${untracked ? "normal" : "no"}`, "--ignore-submodules=dirty"];
  // Files that were only touched are compared once: the index is ours, so git may note in it what it found.
  const env = { GIT_OPTIONAL_LOCKS: "1" };
  const { stdout } = await runGit(place, ["status", ...options, ...kinds], { signal, env });
  const [tracked, others]: [RawPath[], RawPath[]] = [[], []];
  let isIndexRight = true;
  for (const record of rawPaths(stdout)) {
    if (record.startsWith("? ")) others.push(record.slice(2));
    else if (await isDifference(worktree, commit, record)) {
      tracked.push(nameOf(record));
      isIndexRight &&= record.startsWith("1 .");
    }
  }
  return {
    isEmpty: tracked.length + others.length === 0,
    isTracked: tracked.length > 0,
    isUntracked: others.length > 0,
    onlyFiles: isIndexRight && tracked.length > 0 ? tracked : null,
    paths: [...tracked, ...others].map(readable),
  };
}

async function isDifference(worktree: Worktree, commit: string, record: RawPath): Promise<boolean> {
  if (record.startsWith("# branch.oid ")) return record !== `# branch.oid ${commit}`;
  if (record.startsWith("# branch.head ")) return record !== `# branch.head ${worktree.branch}`;
  if (record.startsWith("#")) return false;
  const [, codes, , , indexMode, fileMode, , blob = ""] = record.split(" ");
  const isOnlyContent = codes === ".M" && indexMode === fileMode;
  return !(isOnlyContent && (await hasBlobBytes(worktree, nameOf(record), blob)));
}

/** The path of a record: behind eight fields of a changed entry, behind ten of an unmerged one. */
function nameOf(record: RawPath): RawPath {
  if (record.startsWith("#")) return "HEAD";
  return record
    .split(" ")
    .slice(record.startsWith("u ") ? 10 : 8)
    .join(" ");
}
