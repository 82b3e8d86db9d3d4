import type { RawDifference } from "./changes.js";
import { hasBlobBytes, rawPaths, readable, type RawPath } from "./paths.js";
import type { Worktree } from "./places.js";
import { runGit, type GitOptions, type GitPlace } from "./run.js";

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
  // Files that were only touched are compared once: the index is ours, so git may note in it what it found.
  const env = { GIT_OPTIONAL_LOCKS: "1" };
  const stdout = await status(place, untracked ? "normal" : "no", { signal, env });
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

/**
 * What differs between Towpath's index and the files, by one process; the index stays as it is, unless it is to be
 * refreshed. In place of `git diff` and `git ls-files --others` where the index is known to be at the commit in question.
 */
export async function glanced(
  worktree: Worktree,
  place: GitPlace,
  { signal, refresh }: { readonly signal?: AbortSignal | undefined; readonly refresh: boolean },
): Promise<{ differences: RawDifference[]; others: RawPath[]; branchAt: string | null }> {
  const records = rawPaths(
    await status(place, "all", { signal, ...(refresh ? { env: { GIT_OPTIONAL_LOCKS: "1" } } : {}) }),
  );
  const head = new Map(records.flatMap((record) => headerOf(record)));
  const commit = head.get("branch.oid") ?? "";
  const isOnBranch = head.get("branch.head") === worktree.branch && /^[0-9a-f]+$/.test(commit);
  return {
    differences: records.flatMap((record) => differenceOf(record)),
    others: records.flatMap((record) => (record.startsWith("? ") ? [record.slice(2)] : [])),
    branchAt: isOnBranch ? commit : null,
  };
}

/** `# branch.oid <commit>` (or `(initial)`), `# branch.head <name>`. */
function headerOf(record: RawPath): [string, string][] {
  const [, key, value] = /^# (\S+) (.+)$/s.exec(record) ?? [];
  return key === undefined || value === undefined ? [] : [[key, readable(value)]];
}

/** `1 XY sub mH mI mW hH hI path`, of which index (I) and worktree (W) are compared here; Y is `.` where they agree. */
function differenceOf(record: RawPath): RawDifference[] {
  const [kind, codes = "", , , oldMode = "", newMode = "", , oldId = ""] = record.split(" ", 8);
  const code = codes.charAt(1);
  if (kind !== "1" || code === "." || code === "") return [];
  return [{ oldMode, newMode, oldId, status: code, path: nameOf(record) }];
}

async function status(
  place: GitPlace,
  untracked: "no" | "normal" | "all",
  options: Pick<GitOptions, "signal" | "env">,
): Promise<Buffer> {
  const format = ["--porcelain=v2", "--branch", "-z", "--no-renames", "--no-ahead-behind"];
  const kinds = [`--untracked-files=${untracked}`, "--ignore-submodules=dirty"];
  return (await runGit(place, ["status", ...format, ...kinds], options)).stdout;
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
