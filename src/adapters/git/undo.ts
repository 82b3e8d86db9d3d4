import { lstatSync } from "node:fs";
import { chmod, mkdir, readdir, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { TowpathError } from "../../model/errors.js";
import { hasCode } from "../../model/system-errors.js";
import { listFiles } from "../../model/scope.js";
import { inContext } from "./context.js";
import { excludeLines, writeExcludes } from "./exclude.js";
import { lstatIfPresent, makeWritable, readIfPresent, removeTree, replaceFile } from "./files.js";
import { attachHead, objectIds } from "./head.js";
import { publishIndex } from "./index-file.js";
import { listWorktree } from "./listing.js";
import { settleLocks } from "./locks.js";
import { joinRaw, onDisk, type RawPath } from "./paths.js";
import { branchRef, privateIndex, repositoryPlace, worktreePlace, type Worktree } from "./places.js";
import { notePristine, type Pristine } from "./pristine.js";
import { forceRef, moveRef } from "./refs.js";
import { runGit, type GitPlace } from "./run.js";
import { differences, type Differences } from "./status.js";
import { obstacle, settleNestedRepositories, treeContents, type TreePaths } from "./nested.js";

export interface UndoRequest {
  readonly worktree: Worktree;
  /** Full commit id. */
  readonly commit: string;
  /** Gitignore patterns of what is never removed, relative to the project's directory. */
  readonly exclude?: readonly string[] | undefined;
  /** Removes what the repository ignores as well; `exclude` still holds. Default false. */
  readonly cleanIgnored?: boolean | undefined;
  /** Called before everything that changes something; throws when the worktree has passed to somebody else. */
  readonly guard?: (() => Promise<void>) | undefined;
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
 * @returns what the worktree is now; null in a project with submodules, which are looked at anew each time
 * @throws TowpathError `GitFailed` with a message that begins `Git rollback failed: `
 */
export async function undo(request: UndoRequest): Promise<Pristine | null> {
  return inContext("Git rollback failed", request.signal, () => restore(request));
}

async function restore(request: UndoRequest): Promise<Pristine | null> {
  const { worktree, commit, exclude = [], guard = always, signal } = request;
  await guard();
  await settleRoot(worktree);
  await settleLocks(worktree, signal);
  await clearUnfinishedWork(worktree);
  await attachHead(worktree, signal);
  const place = worktreePlace(worktree, writeExcludes(worktree, exclude));
  const tree = await moveBranch(request, guard);
  const contents = await treeContents(place, commit, signal);
  await restoreAccess(worktree, contents.paths);
  await settleNestedRepositories(worktree, contents, signal);
  await restoreFiles(request, place, guard);
  await guard();
  publishIndex(worktree);
  const { paths, submodules } = contents;
  if (submodules.length > 0 || tree === null) return null;
  return notePristine(worktree, { commit, tree, paths, listing: listWorktree(worktree) });
}

async function always(): Promise<void> {
  // Nobody else can have the worktree.
}

/**
 * From where it was seen before the guard was asked: whoever takes over afterwards and moves it is not overruled.
 * @returns the commit's tree
 */
async function moveBranch(
  { worktree, commit, signal }: UndoRequest,
  guard: () => Promise<void>,
): Promise<string | null> {
  const ref = branchRef(worktree);
  const names = [ref, `${commit}^{tree}`];
  const [from = null, tree = null] = await objectIds(repositoryPlace(worktree), names, signal);
  if (from === commit) return tree;
  await guard();
  const reason = "towpath: undo";
  // Missing, or so damaged that it has no value that could be compared.
  if (from === null) {
    await forceRef(worktree, ref, commit, reason, signal);
    return tree;
  }
  const answer = await moveRef({ repo: worktree, ref, to: commit, from, reason, signal });
  if (typeof answer === "object") {
    throw new TowpathError("GitFailed", `the branch ${worktree.branch} was moved while the step was undone`);
  }
  return tree;
}

/** Looks before and after every pass: most attempts begin with nothing to undo, and looking costs least. */
async function restoreFiles(
  request: UndoRequest,
  place: GitPlace,
  guard: () => Promise<void>,
): Promise<void> {
  const { worktree, cleanIgnored = false, signal } = request;
  let failure: unknown;
  let isIgnoredLeft = cleanIgnored;
  for (let pass = 0; pass <= PASSES; pass += 1) {
    try {
      const found = await differences({ ...request, place, untracked: true });
      if (found.isEmpty && !isIgnoredLeft) return;
      failure = new TowpathError(
        "GitFailed",
        `still different in ${worktree.path}: ${listFiles(found.paths)}`,
      );
      await guard();
      await restoreOnce(request, place, pass === 0 ? found : { ...found, onlyFiles: null });
      isIgnoredLeft = false;
    } catch (error) {
      signal?.throwIfAborted();
      await guard();
      failure = error;
      // A damaged index, or directories that a step made read-only.
      await rm(privateIndex(worktree), { force: true });
      await makeWritable(worktree.path);
    }
  }
  throw failure;
}

/**
 * Gives the owner reading and writing on every tracked file that a step took it from: git knows only whether a file is
 * executable. Every file is looked at, because git's own times are of whole seconds and hide what quick steps do.
 */
export async function restoreAccess(worktree: Worktree, { files }: TreePaths): Promise<void> {
  for (const path of files) {
    if (isInaccessible(onDisk(worktree, path))) await makeAccessible(worktree, path);
  }
}

/** Synchronous: thousands of these are quicker so than one at a time through the thread pool. */
function isInaccessible(file: Buffer): boolean {
  try {
    const found = lstatSync(file, { throwIfNoEntry: false });
    return found?.isFile() === true && (found.mode & 0o600) !== 0o600;
  } catch (error) {
    // In a directory that was closed or replaced: undoing makes it anew.
    if (hasCode(error, "EACCES", "ELOOP", "ENAMETOOLONG", "ENOTDIR")) return false;
    throw error;
  }
}

async function makeAccessible(worktree: Worktree, path: RawPath): Promise<void> {
  const file = onDisk(worktree, path);
  const found = lstatIfPresent(file);
  if (!found?.isFile() || (found.mode & 0o600) === 0o600) return;
  if ((await obstacle(worktree, path)) === null) await chmod(file, (found.mode & 0o777) | 0o600);
}

async function restoreOnce(request: UndoRequest, place: GitPlace, found: Differences): Promise<void> {
  const { worktree, commit, exclude = [], cleanIgnored = false, signal } = request;
  if (found.onlyFiles !== null) {
    const args = ["checkout-index", "--force", "--index", "-z", "--stdin"];
    await runGit(place, args, { signal, input: joinRaw(found.onlyFiles) });
  } else if (found.isTracked) {
    await runGit(place, ["read-tree", "--reset", "-u", commit], { signal });
  }
  if (!found.isUntracked && !cleanIgnored) return;
  const ignored = cleanIgnored ? ["-x", ...exceptions(worktree, exclude)] : [];
  await runGit(place, ["clean", "-ffd", "--quiet", ...ignored], { signal });
}

/** The worktree's directory and its link to the git directory, if a step removed or replaced them. */
async function settleRoot(worktree: Worktree): Promise<void> {
  const { path, gitDir } = worktree;
  if (!lstatIfPresent(path)?.isDirectory()) {
    await removeTree(path);
    await mkdir(path);
  }
  if (isLinked(worktree)) return;
  const link = join(path, ".git");
  await removeTree(link);
  replaceFile(link, `gitdir: ${gitDir}\n`);
}

/** Whether the worktree's `.git` is the file that leads to its git directory. */
export function isLinked({ path, gitDir }: Worktree): boolean {
  const link = join(path, ".git");
  if (!lstatIfPresent(link)?.isFile()) return false;
  const target = /^gitdir: (.+)\n?$/.exec(readIfPresent(link) ?? "")?.[1];
  return target !== undefined && resolve(path, target) === gitDir;
}

async function clearUnfinishedWork(worktree: Worktree): Promise<void> {
  for (const name of unfinishedWork(await readdir(worktree.gitDir))) {
    await rm(join(worktree.gitDir, name), { recursive: true, force: true });
  }
}

/** The names among those of a git directory that git keeps unfinished work under. */
export function unfinishedWork(names: readonly string[]): string[] {
  const present = new Set(names);
  return UNFINISHED_WORK.filter((name) => present.has(name));
}

function exceptions(worktree: Worktree, patterns: readonly string[]): string[] {
  const lines = excludeLines(patterns, worktree.prefix).filter(
    (line) => line.trim() !== "" && !line.startsWith("#"),
  );
  return lines.map((line) => `--exclude=${line}`);
}
