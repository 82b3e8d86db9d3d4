import { randomBytes } from "node:crypto";
import { mkdir, readdir, realpath } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { TowpathError, messageOf } from "../../model/errors.js";
import { translated } from "./context.js";
import { copyIndex, lstatIfPresent, readIfPresent, removeTree } from "./files.js";
import { privateIndex, repositoryPlace, stepIndex, type Repository, type Worktree } from "./places.js";
import { foreign, moveRef } from "./refs.js";
import { findCommit } from "./repository.js";
import { gitText, runGit } from "./run.js";
import { MIGRATION_TRAILER, trailerValues } from "./message.js";
import { findEntry, writeMarker, type WorktreeEntry } from "./worktree-entry.js";
import { isMissing } from "../../model/system-errors.js";

export interface WorktreeRequest {
  readonly repo: Repository;
  /** `<data dir>/workspaces/<id>`; missing parents are made, private to the user. */
  readonly path: string;
  /** `towpath/<migration id>`. */
  readonly branch: string;
  /** Full commit id. */
  readonly base: string;
  readonly migrationId: string;
  readonly signal?: AbortSignal | undefined;
}

export type RemovalRequest = Pick<WorktreeRequest, "repo" | "path" | "signal">;

export interface LaidWorktree {
  readonly worktree: Worktree;
  /** False when it was there already. */
  readonly laid: boolean;
}

/**
 * Makes the migration's branch and worktree, or finds those of an earlier call. What an interrupted call left is removed
 * first; a worktree whose directory somebody deleted is laid anew on the branch as it is.
 * @throws TowpathError `ForeignEffect` when the branch or the directory is somebody else's
 */
export async function layWorktree(request: WorktreeRequest): Promise<LaidWorktree> {
  return translated(`Cannot lay the worktree ${request.path}`, request.signal, () => lay(request));
}

async function lay(request: WorktreeRequest): Promise<LaidWorktree> {
  const path = await canonical(request.path, true);
  const entry = await findEntry(request.repo.commonDir, path);
  if (entry !== null) requireOurs(entry, request, path);
  const found = entry === null ? null : await usable(entry, request.repo, path);
  if (found !== null) return { worktree: found, laid: false };
  await clearPlace(request, path, entry);
  await ensureBranch(request, entry?.marker?.branch === request.branch);
  return { worktree: await addWorktree(request, path), laid: true };
}

/** The worktree that `layWorktree` made at `path`, or null when there is none that can be used. */
export async function findWorktree(repo: Repository, path: string): Promise<Worktree | null> {
  const real = await canonical(path, false);
  const entry = await findEntry(repo.commonDir, real);
  return entry === null ? null : usable(entry, repo, real);
}

/**
 * Removes the worktree and the repository's entry for it; the branch stays. Nothing there is fine.
 * @throws TowpathError `ForeignEffect` when the directory is not a worktree of this repository
 */
export async function removeWorktree(request: RemovalRequest): Promise<void> {
  await translated(`Cannot remove the worktree ${request.path}`, request.signal, () => remove(request));
}

async function remove(request: RemovalRequest): Promise<void> {
  const path = await canonical(request.path, false);
  const entry = await findEntry(request.repo.commonDir, path);
  if (entry !== null && entry.marker === null && !isHalfMade(entry.head, "towpath/")) {
    throw foreign(`${path} is a worktree that Towpath did not make: it is left alone`, path, null);
  }
  await clearPlace(request, path, entry);
}

/**
 * Checks that the worktree's directory is itself, and not a link by which git would work in another place.
 * @throws TowpathError `ForeignEffect`
 */
export function requireDirectory(worktree: Worktree): void {
  const found = lstatIfPresent(worktree.path);
  if (found?.isDirectory()) return;
  throw new TowpathError(
    "ForeignEffect",
    `the worktree at ${worktree.path} is ${found === null ? "gone" : "no longer a directory"}: undo the step, which lays it again`,
    { details: { path: worktree.path } },
  );
}

async function usable(entry: WorktreeEntry, repo: Repository, path: string): Promise<Worktree | null> {
  const { marker, gitDir } = entry;
  if (marker === null || !lstatIfPresent(path)?.isDirectory()) return null;
  return {
    path,
    gitDir,
    commonDir: repo.commonDir,
    branch: marker.branch,
    migrationId: marker.migration,
    prefix: repo.prefix,
    incarnation: marker.incarnation,
  };
}

function requireOurs(entry: WorktreeEntry, request: WorktreeRequest, path: string): void {
  const { marker, head } = entry;
  const isOurs =
    marker === null
      ? isHalfMade(head, `${request.branch}\n`)
      : marker.branch === request.branch && marker.migration === request.migrationId;
  if (isOurs) return;
  const owner = marker === null ? "of somebody else" : `of the migration ${marker.migration}`;
  throw foreign(
    `${path} is already a worktree ${owner}: remove it, or use another data directory`,
    path,
    null,
  );
}

/** While git makes a worktree, its HEAD is first missing, then all zeros, then the branch. */
function isHalfMade(head: string | null, branchStart: string): boolean {
  return head === null || /^0*\n?$/.test(head) || head.startsWith(`ref: refs/heads/${branchStart}`);
}

async function clearPlace(
  request: Pick<WorktreeRequest, "repo" | "signal">,
  path: string,
  entry: WorktreeEntry | null,
): Promise<void> {
  if (entry === null) {
    await requireRemovable(request.repo, path);
    await removeTree(path);
    return;
  }
  await removeTree(path);
  // Not `worktree prune`, which would drop entries of the user's own that happen to be out of reach.
  await runGit(repositoryPlace(request.repo), ["worktree", "remove", "--force", "--force", path], {
    signal: request.signal,
  });
}

/** A directory without an entry is ours when it is empty, or says that it was a worktree of this repository. */
async function requireRemovable(repo: Repository, path: string): Promise<void> {
  const found = lstatIfPresent(path);
  if (found === null) return;
  if (found.isDirectory()) {
    if ((await readdir(path)).length === 0) return;
    const pointer = join(path, ".git");
    const link = lstatIfPresent(pointer)?.isFile() ? readIfPresent(pointer) : null;
    if (link?.startsWith(`gitdir: ${join(repo.commonDir, "worktrees")}/`)) return;
  }
  throw foreign(`${path} exists and is not a worktree of ${repo.root}: move it away`, path, null);
}

async function ensureBranch(request: WorktreeRequest, isKnownOurs: boolean): Promise<void> {
  const { repo, branch, base, signal } = request;
  const ref = `refs/heads/${branch}`;
  const head = await findCommit(repositoryPlace(repo), ref, signal);
  if (head === null) {
    await createBranch(request, ref);
  } else if (head !== base && !isKnownOurs && !(await isOurContinuation(request, head))) {
    throw foreign(
      `the branch ${branch} already exists at ${head} with commits that are not this migration's: rename or delete it`,
      branch,
      head,
    );
  }
}

async function createBranch(request: WorktreeRequest, ref: string): Promise<void> {
  const { repo, branch, base, signal } = request;
  const reason = "towpath: start";
  const answer = await moveRef({ repo, ref, to: base, from: null, reason, signal }).catch(
    (error: unknown) => {
      const blocking = /'refs\/heads\/([^']+)' exists; cannot create/.exec(messageOf(error))?.[1];
      if (blocking === undefined) throw error;
      throw foreign(`the branch ${blocking} leaves no room for ${branch}: rename it`, blocking, null);
    },
  );
  if (typeof answer === "object") {
    throw foreign(
      `the branch ${branch} already exists at ${answer.actual ?? "no commit"}`,
      branch,
      answer.actual,
    );
  }
}

async function isOurContinuation(request: WorktreeRequest, head: string): Promise<boolean> {
  const { repo, base, migrationId, signal } = request;
  const place = repositoryPlace(repo);
  const ancestor = await runGit(place, ["merge-base", "--is-ancestor", base, head], {
    signal,
    accept: [0, 1],
  });
  if (ancestor.exitCode !== 0) return false;
  const format = `--format=${trailerValues(MIGRATION_TRAILER)}`;
  const owners = await gitText(place, ["log", format, `${base}..${head}`], { signal });
  return owners.split("\n").every((owner) => owner === migrationId);
}

async function addWorktree(request: WorktreeRequest, path: string): Promise<Worktree> {
  const { repo, branch, migrationId, signal } = request;
  try {
    await runGit(repositoryPlace(repo), ["worktree", "add", "--quiet", "--no-guess-remote", path, branch], {
      signal,
    });
  } catch (error) {
    const elsewhere = /already (?:checked out|used by worktree) at '([^']+)'/.exec(messageOf(error))?.[1];
    if (elsewhere === undefined) throw error;
    throw foreign(`the branch ${branch} is checked out at ${elsewhere}: leave it there first`, branch, null);
  }
  const entry = await findEntry(repo.commonDir, path);
  if (entry === null) throw new TowpathError("GitFailed", `git made no worktree at ${path}`);
  const incarnation = randomBytes(8).toString("hex");
  const { gitDir } = entry;
  const worktree = {
    path,
    gitDir,
    commonDir: repo.commonDir,
    branch,
    migrationId,
    prefix: repo.prefix,
    incarnation,
  };
  copyIndex(stepIndex(worktree), privateIndex(worktree));
  await writeMarker(gitDir, { migration: migrationId, branch, incarnation });
  return worktree;
}

/** The path with links in its parents resolved: that is how git records it. */
async function canonical(path: string, make: boolean): Promise<string> {
  const parent = dirname(path);
  if (make) await mkdir(parent, { recursive: true, mode: 0o700 });
  const real = await realpath(parent).catch((error: unknown) => {
    if (isMissing(error)) return parent;
    throw error;
  });
  return join(real, basename(path));
}
