import { createHash, randomBytes } from "node:crypto";
import { mkdir, readdir, rename } from "node:fs/promises";
import { join } from "node:path";
import { TowpathError } from "../../model/errors.js";
import { requireGitUrl } from "../../model/source.js";
import { translated } from "./context.js";
import { lstatIfPresent, removeTree } from "./files.js";
import type { Repository } from "./places.js";
import { remoteEnvironment } from "./remote.js";
import { findCommit, openRepository } from "./repository.js";
import { baseEnvironment, runGit, type GitPlace } from "./run.js";

const FRESH = ".fresh-";
const REMOTE_HEAD = "refs/remotes/origin/HEAD";

export interface CloneRequest {
  readonly dataDir: string;
  readonly url: string;
  /** The worker's own. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal?: AbortSignal | undefined;
}

/** Where the clone of a remote lies: one for all of a host's migrations of it. */
export function clonePath(dataDir: string, url: string): string {
  return join(clonesDirectory(dataDir), createHash("sha256").update(url).digest("hex").slice(0, 16));
}

function clonesDirectory(dataDir: string): string {
  return join(dataDir, "repositories");
}

/** Clones that are being made or brought up to date in this process, by path: the next one waits for the one before. */
const inFlight = new Map<string, Promise<unknown>>();

/**
 * The host's clone of a remote, made where there is none, with all that the remote has now. Its checkout stands on the
 * remote's default branch and has no branch of its own: migrations work in worktrees.
 * @throws TowpathError `GitFailed` where the remote cannot be reached, `NotARepository` where it has no commit yet
 */
export async function freshClone(request: CloneRequest): Promise<Repository> {
  const path = clonePath(request.dataDir, requireGitUrl(request.url));
  const before = inFlight.get(path) ?? Promise.resolve();
  const own = before.then(
    () => refreshed(request, path),
    () => refreshed(request, path),
  );
  inFlight.set(path, own);
  try {
    return await own;
  } finally {
    if (inFlight.get(path) === own) inFlight.delete(path);
  }
}

/** A commit by the name that it has at the remote, or by its id. */
export async function remoteRef(repo: Repository, ref: string, signal?: AbortSignal): Promise<string> {
  const tracking = ref === "HEAD" ? REMOTE_HEAD : `refs/remotes/origin/${ref}`;
  const place: GitPlace = { cwd: repo.root, env: baseEnvironment() };
  return (await findCommit(place, tracking, signal)) === null ? ref : tracking;
}

async function refreshed(request: CloneRequest, path: string): Promise<Repository> {
  const { url, signal } = request;
  return translated(`Cannot clone ${url}`, signal, async () => {
    if (lstatIfPresent(path) === null) await make(request, path);
    else await fetchAll(request, path);
    return await openRepository(path, signal);
  });
}

/** It gets its name when it is complete: one that was interrupted is never taken for one. */
async function make(request: CloneRequest, path: string): Promise<void> {
  const { dataDir, url, signal } = request;
  const directory = clonesDirectory(dataDir);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  for (const name of await readdir(directory)) {
    if (name.startsWith(`${FRESH}${path.slice(-16)}`)) await removeTree(join(directory, name));
  }
  const fresh = join(directory, `${FRESH}${path.slice(-16)}-${randomBytes(4).toString("hex")}`);
  await mkdir(fresh, { mode: 0o700 });
  const place: GitPlace = { cwd: fresh, env: baseEnvironment() };
  await runGit(place, ["init", "--quiet", "--template=", "--initial-branch=none"], { signal });
  await runGit(place, ["remote", "add", "origin", url], { signal });
  await fetchAll(request, fresh);
  await rename(fresh, path);
}

async function fetchAll({ url, env, signal }: CloneRequest, path: string): Promise<void> {
  const place: GitPlace = { cwd: path, env: baseEnvironment() };
  const remote = { env: remoteEnvironment(env), signal };
  await runGit(place, ["fetch", "--quiet", "--tags", "--force", "--prune", "origin"], remote);
  await runGit(place, ["remote", "set-head", "origin", "--auto"], { ...remote, accept: [0, 1, 2, 128] });
  if ((await findCommit(place, REMOTE_HEAD, signal)) === null) {
    throw new TowpathError(
      "NotARepository",
      `${url} has no commit on its default branch yet: a migration starts from one. Push something first.`,
    );
  }
  await runGit(place, ["checkout", "--quiet", "--force", "--detach", REMOTE_HEAD], { signal });
}
