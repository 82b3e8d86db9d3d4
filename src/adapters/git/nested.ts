import { mkdir, readdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { lstatIfPresent, readIfPresent, removeTree } from "./files.js";
import { onDisk, rawPaths, readable, type RawPath } from "./paths.js";
import type { Worktree } from "./places.js";
import { baseEnvironment, runGit, type GitPlace } from "./run.js";
import { isMissing } from "../../model/system-errors.js";

/** The paths of a tree. */
export interface TreePaths {
  /** Perhaps some that are gone, too. */
  readonly directories: readonly RawPath[];
  /** Links too. */
  readonly files: readonly RawPath[];
}

export interface TreeContents {
  /** Parents in front of what they hold. */
  readonly paths: TreePaths;
  readonly submodules: readonly { readonly path: RawPath; readonly commit: string }[];
}

/** What is in a commit's tree. */
export async function treeContents(
  place: GitPlace,
  commit: string,
  signal?: AbortSignal,
): Promise<TreeContents> {
  const { stdout } = await runGit(place, ["ls-tree", "-r", "-t", "-z", "--full-tree", commit], { signal });
  const directories: RawPath[] = [];
  const files: RawPath[] = [];
  const submodules: { path: RawPath; commit: string }[] = [];
  for (const record of rawPaths(stdout)) {
    const tab = record.indexOf("\t");
    const [, type, id = ""] = record.slice(0, tab).split(" ");
    const path = record.slice(tab + 1);
    if (type === "tree") directories.push(path);
    else if (type === "commit") submodules.push({ path, commit: id });
    else files.push(path);
  }
  return { paths: { directories, files }, submodules };
}

/**
 * Removes what makes a tracked directory a repository of its own, which `git clean` does not look for, and puts
 * submodules back on their commits.
 */
export async function settleNestedRepositories(
  worktree: Worktree,
  { paths, submodules }: TreeContents,
  signal?: AbortSignal,
): Promise<void> {
  await Promise.all(paths.directories.map((path) => settleDirectory(worktree, path)));
  for (const { path, commit } of submodules) await settleSubmodule(worktree, path, commit, signal);
}

/**
 * The first part of the path that is there and no directory, or null. Behind a link in the place of a directory lies
 * what is not the worktree's, and must not be touched.
 */
export async function obstacle(worktree: Worktree, path: RawPath): Promise<RawPath | null> {
  for (let end = path.indexOf("/"); end !== -1; end = path.indexOf("/", end + 1)) {
    const part = path.slice(0, end);
    const found = lstatIfPresent(onDisk(worktree, part));
    if (found !== null && !found.isDirectory()) return part;
  }
  return null;
}

async function settleDirectory(worktree: Worktree, path: RawPath): Promise<void> {
  const planted = `${path}/.git`;
  if (lstatIfPresent(onDisk(worktree, planted)) === null) return;
  await removeTree(onDisk(worktree, (await obstacle(worktree, planted)) ?? planted));
}

/**
 * A submodule whose git directory lies in the worktree's own is reset to its commit; git is not run on any other, since
 * its configuration could be a step's work. What else is at its path makes room for the empty directory of a submodule
 * that is not checked out.
 */
async function settleSubmodule(
  worktree: Worktree,
  path: RawPath,
  commit: string,
  signal?: AbortSignal,
): Promise<void> {
  const inTheWay = await obstacle(worktree, path);
  if (inTheWay !== null) await removeTree(onDisk(worktree, inTheWay));
  const directory = join(worktree.path, readable(path));
  const gitDir = await trustedGitDirectory(worktree, directory);
  if (gitDir !== null && (await resetSubmodule(directory, gitDir, commit, signal))) return;
  if (await isEmptyDirectory(directory)) return;
  await removeTree(directory);
  await mkdir(directory, { recursive: true });
}

async function trustedGitDirectory(worktree: Worktree, directory: string): Promise<string | null> {
  const link = join(directory, ".git");
  const [found, linkFound] = [lstatIfPresent(directory), lstatIfPresent(link)];
  if (!found?.isDirectory() || !linkFound?.isFile()) return null;
  const target = /^gitdir: (.+)\n?$/.exec(readIfPresent(link) ?? "")?.[1];
  if (target === undefined) return null;
  const gitDir = resolve(directory, target);
  return gitDir.startsWith(`${join(worktree.gitDir, "modules")}/`) ? gitDir : null;
}

async function resetSubmodule(
  directory: string,
  gitDir: string,
  commit: string,
  signal?: AbortSignal,
): Promise<boolean> {
  const env = { ...baseEnvironment(), GIT_DIR: gitDir, GIT_WORK_TREE: directory };
  const place: GitPlace = { cwd: directory, env };
  const reset = ["checkout", "--quiet", "--force", "--detach", commit];
  // 1 and 128: the commit is not there, or the directory is no repository; the caller then empties the place.
  const answer = await runGit(place, reset, { signal, accept: [0, 1, 128] });
  if (answer.exitCode !== 0) return false;
  await runGit(place, ["clean", "-ffd", "--quiet"], { signal });
  return true;
}

async function isEmptyDirectory(path: string): Promise<boolean> {
  try {
    return (await readdir(path)).length === 0;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}
