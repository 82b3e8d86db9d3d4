import { join } from "node:path";
import { TowpathError, messageOf } from "../../model/errors.js";
import { inContext } from "./context.js";
import { removeIfOlder } from "./locks.js";
import { updateByKeptProcess } from "./ref-updater.js";
import { repositoryPlace, type Repository, type Worktree } from "./places.js";
import { findCommit } from "./repository.js";
import { REF_LOCK_TIMEOUT_MS, gitText, runGit } from "./run.js";

/** In the reflog, of a branch that is moved by a step; where none is kept (tags), any other would do as well. */
export const STEP_REASON = "towpath: step";

export interface Tag {
  /** Without `refs/tags/`. */
  readonly name: string;
  readonly commit: string;
}

type Home = Repository | Worktree;

export interface TagRequest {
  readonly repo: Home;
  readonly tag: string;
  readonly commit: string;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Marks a commit with a tag, exactly once: a tag of the same name on the same commit is the answer of an earlier call.
 * @throws TowpathError `ForeignEffect` when the tag is on another commit, `GitFailed` otherwise
 */
export async function createCheckpointTag(request: TagRequest): Promise<"created" | "exists"> {
  return inContext("Git tag creation failed", request.signal, () => createTag(request));
}

/** Keeps commits that are about to be undone reachable, under a tag. Same answers as `createCheckpointTag`. */
export async function keepUndoneHead(request: TagRequest): Promise<"created" | "exists"> {
  return inContext("Git tag creation failed", request.signal, () => createTag(request));
}

/**
 * Deletes a tag that is still on the expected commit; a missing one is fine.
 * @throws TowpathError `ForeignEffect` when it is on another commit
 */
export async function deleteTag(request: {
  readonly repo: Home;
  readonly tag: string;
  readonly expected: string;
  readonly signal?: AbortSignal | undefined;
}): Promise<"deleted" | "missing"> {
  const { repo, tag, expected, signal } = request;
  const ref = `refs/tags/${tag}`;
  const present = await objectOf(repo, ref, signal);
  if (present === null) return "missing";
  if (present.commit !== expected) {
    throw foreign(
      `the tag ${tag} is on ${present.commit}, not on ${expected}: it is left alone`,
      tag,
      present.commit,
    );
  }
  await withLockRetry(repo, ref, () =>
    runGit(
      repositoryPlace(repo),
      ["update-ref", "-d", "--no-deref", "--end-of-options", ref, present.object],
      {
        signal,
      },
    ),
  );
  return "deleted";
}

/** Tags whose names begin with the path `prefix`, sorted by name. */
export async function listTags(repo: Home, prefix: string, signal?: AbortSignal): Promise<Tag[]> {
  const format = "%(refname:strip=2) %(objectname) %(*objectname)";
  const pattern = `refs/tags/${prefix.replace(/\/+$/, "")}`;
  const text = await gitText(repositoryPlace(repo), ["for-each-ref", `--format=${format}`, pattern], {
    signal,
  });
  return text
    .split("\n")
    .map((line) => line.split(" "))
    .flatMap(([name, object, peeled]) => (name && object ? [{ name, commit: peeled || object }] : []));
}

/**
 * Moves a ref from one value to another, or creates it (`from` null). Its own earlier success is no failure.
 * @returns `moved`, `already` when it has the new value, else the value that stands in the way (null: there is none)
 */
export async function moveRef(request: {
  readonly repo: Home;
  readonly ref: string;
  readonly to: string;
  readonly from: string | null;
  readonly reason?: string;
  readonly signal?: AbortSignal | undefined;
}): Promise<"moved" | "already" | { readonly actual: string | null }> {
  const { repo, ref, to, from, reason, signal } = request;
  const expected = from ?? "0".repeat(to.length);
  signal?.throwIfAborted();
  if (await updateByKeptProcess(repo, reason ?? STEP_REASON, { ref, to, expected })) return "moved";
  signal?.throwIfAborted();
  const log = reason === undefined ? [] : ["-m", reason];
  const args = ["update-ref", "--no-deref", ...log, "--end-of-options", ref, to, expected];
  try {
    await withLockRetry(repo, ref, () => runGit(repositoryPlace(repo), args, { signal }));
    return "moved";
  } catch (error) {
    signal?.throwIfAborted();
    const present = await objectOf(repo, ref, signal);
    if (present?.commit === to) return "already";
    if ((present?.commit ?? null) === from) throw error;
    return { actual: present?.commit ?? null };
  }
}

/** Sets a ref whatever its value was. */
export async function forceRef(
  repo: Home,
  ref: string,
  to: string,
  reason: string,
  signal?: AbortSignal,
): Promise<void> {
  const args = ["update-ref", "--no-deref", "-m", reason, "--end-of-options", ref, to];
  await withLockRetry(repo, ref, () => runGit(repositoryPlace(repo), args, { signal }));
}

export function foreign(message: string, ref: string, commit: string | null): TowpathError {
  return new TowpathError("ForeignEffect", message, { details: { ref, commit } });
}

async function createTag({ repo, tag, commit, signal }: TagRequest): Promise<"created" | "exists"> {
  const answer = await moveRef({ repo, ref: `refs/tags/${tag}`, to: commit, from: null, signal });
  if (answer === "moved") return "created";
  if (answer === "already") return "exists";
  throw foreign(
    `the tag ${tag} already exists on ${answer.actual ?? "no commit"}, and this checkpoint is ${commit}: ` +
      "somebody else made it. Delete or rename that tag.",
    tag,
    answer.actual,
  );
}

async function objectOf(repo: Home, ref: string, signal?: AbortSignal) {
  const commit = await findCommit(repositoryPlace(repo), ref, signal);
  if (commit === null) return null;
  const object = await gitText(repositoryPlace(repo), ["rev-parse", "--verify", "--end-of-options", ref], {
    signal,
  });
  return { commit, object };
}

/**
 * Git has waited for the lock longer than its age limit when it gives up, so a lock that old has no living holder: a
 * killed process left it.
 */
async function withLockRetry<T>(repo: Home, ref: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const isOurs = /^refs\/(heads|tags)\/towpath\//.test(ref);
    if (!isOurs || !messageOf(error).includes(`${ref}.lock': File exists`)) throw error;
    const lock = join(repo.commonDir, `${ref}.lock`);
    if (!(await removeIfOlder(lock, Date.now() - REF_LOCK_TIMEOUT_MS))) throw error;
    return work();
  }
}
