import { mkdir, readdir, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { TowpathError } from "../../model/errors.js";
import { listFiles } from "../../model/scope.js";
import { excludeLines, writeExcludes } from "./exclude.js";
import { lstatIfPresent, makeWritable, readIfPresent, removeTree, replaceFile } from "./files.js";
import { attachHead } from "./head.js";
import { publishIndex } from "./index-file.js";
import { settleLocks } from "./locks.js";
import { hasBlobBytes, rawPaths, readable, type RawPath } from "./paths.js";
import { branchRef, privateIndex, worktreePlace, type Worktree } from "./places.js";
import { forceRef, inContext } from "./refs.js";
import { runGit, type GitPlace } from "./run.js";
import { settleNestedRepositories, treeDirectories } from "./nested.js";

export interface UndoRequest {
  readonly worktree: Worktree;
  /** Full commit id. */
  readonly commit: string;
  /** Gitignore patterns of what is never removed, relative to the project's directory. */
  readonly exclude?: readonly string[] | undefined;
  /** Removes what the repository ignores as well; `exclude` still holds. Default false. */
  readonly cleanIgnored?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What git keeps of a merge, rebase, cherry-pick, revert, am or bisect that is under way. */
const UNFINISHED_WORK = [
  "MERGE_HEAD",
  "MERGE_MODE",
  "MERGE_MSG",
  "MERGE_RR",
  "MERGE_AUTOSTASH",
  "AUTO_MERGE",
  "SQUASH_MSG",
  "CHERRY_PICK_HEAD",
  "REVERT_HEAD",
  "REBASE_HEAD",
  "rebase-merge",
  "rebase-apply",
  "sequencer",
  "BISECT_START",
  "BISECT_LOG",
  "BISECT_NAMES",
  "BISECT_TERMS",
  "BISECT_EXPECTED_REV",
  "BISECT_ANCESTORS_OK",
  "BISECT_RUN",
] as const;

/** A file that hides others (an untracked `.gitignore`) goes in one pass and what it hid in the next. */
const PASSES = 4;

/**
 * Brings the migration's branch, HEAD, index and worktree back to a commit and returns only when they are there. Tracked
 * and untracked changes, commits, unfinished merges, repositories that a step created: gone. Ignored files stay unless
 * `cleanIgnored`. No process of the step may live any more. Calling it again finishes an interrupted call.
 * @throws TowpathError `GitFailed` with a message that begins `Git rollback failed: `
 */
export async function undo(request: UndoRequest): Promise<void> {
  await inContext("Git rollback failed", request.signal, () => restore(request));
}

async function restore(request: UndoRequest): Promise<void> {
  const { worktree, commit, exclude = [], cleanIgnored = false, signal } = request;
  await settleRoot(worktree);
  await settleLocks(worktree, signal);
  await clearUnfinishedWork(worktree);
  await attachHead(worktree, signal);
  await forceRef(worktree, branchRef(worktree), commit, "towpath: undo", signal);
  const place = worktreePlace(worktree, await writeExcludes(worktree, exclude));
  const clean = [
    "clean",
    "-ffd",
    "--quiet",
    ...(cleanIgnored ? ["-x", ...exceptions(worktree, exclude)] : []),
  ];
  const directories = await treeDirectories(place, commit, signal);
  await untilClean(request, place, async () => {
    await runGit(place, ["read-tree", "--reset", "-u", commit], { signal });
    await settleNestedRepositories(worktree, directories, signal);
    await runGit(place, clean, { signal });
  });
  await publishIndex(worktree);
}

async function untilClean(request: UndoRequest, place: GitPlace, work: () => Promise<void>): Promise<void> {
  const { worktree, signal } = request;
  let failure: unknown;
  let leftovers: string[] = [];
  for (let pass = 0; pass < PASSES; pass += 1) {
    try {
      await work();
      failure = undefined;
      leftovers = await differences(request, place);
      if (leftovers.length === 0) return;
    } catch (error) {
      signal?.throwIfAborted();
      failure = error;
      // A damaged index, or directories that a step made read-only.
      await rm(privateIndex(worktree), { force: true });
      await makeWritable(worktree.path);
    }
  }
  throw (
    failure ?? new TowpathError("GitFailed", `still different in ${worktree.path}: ${listFiles(leftovers)}`)
  );
}

/** What keeps the worktree from being the commit, one entry a path; the branch's name and commit are checked as well. */
async function differences({ worktree, commit, signal }: UndoRequest, place: GitPlace): Promise<string[]> {
  const options = ["--porcelain=v2", "--branch", "-z", "--untracked-files=normal", "--no-renames"];
  const args = ["status", ...options, "--no-ahead-behind", "--ignore-submodules=dirty"];
  const { stdout } = await runGit(place, args, { signal });
  const found: string[] = [];
  for (const record of rawPaths(stdout)) {
    const difference = await differenceOf(worktree, commit, record);
    if (difference !== null) found.push(readable(difference));
  }
  return found;
}

/** One record of `git status --porcelain=v2`: the path that it is about, or null when it tells of no difference. */
async function differenceOf(worktree: Worktree, commit: string, record: RawPath): Promise<RawPath | null> {
  if (record.startsWith("# branch.oid ")) return record === `# branch.oid ${commit}` ? null : "HEAD";
  if (record.startsWith("# branch.head "))
    return record === `# branch.head ${worktree.branch}` ? null : "HEAD";
  if (record.startsWith("#")) return null;
  if (!record.startsWith("1 ")) return record.slice(2);
  const [, codes, , , indexMode, fileMode, , blob = "", ...path] = record.split(" ");
  const name = path.join(" ");
  const isOnlyNormalised =
    codes === ".M" && indexMode === fileMode && (await hasBlobBytes(worktree, name, blob));
  return isOnlyNormalised ? null : name;
}

/** The worktree's directory and its link to the git directory, if a step removed or replaced them. */
async function settleRoot(worktree: Worktree): Promise<void> {
  const { path, gitDir } = worktree;
  if (!(await lstatIfPresent(path))?.isDirectory()) {
    await removeTree(path);
    await mkdir(path);
  }
  const link = join(path, ".git");
  const found = await lstatIfPresent(link);
  const target = found?.isFile()
    ? /^gitdir: (.+)\n?$/.exec((await readIfPresent(link)) ?? "")?.[1]
    : undefined;
  if (target !== undefined && resolve(path, target) === gitDir) return;
  await removeTree(link);
  await replaceFile(link, `gitdir: ${gitDir}\n`);
}

async function clearUnfinishedWork({ gitDir }: Worktree): Promise<void> {
  const present = new Set(await readdir(gitDir));
  for (const name of UNFINISHED_WORK) {
    if (present.has(name)) await rm(join(gitDir, name), { recursive: true, force: true });
  }
}

function exceptions(worktree: Worktree, patterns: readonly string[]): string[] {
  const lines = excludeLines(patterns, worktree.prefix).filter(
    (line) => line.trim() !== "" && !line.startsWith("#"),
  );
  return lines.map((line) => `--exclude=${line}`);
}
