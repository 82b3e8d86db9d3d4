import { TowpathError } from "../../model/errors.js";
import { listFiles } from "../../model/scope.js";
import { rawChanges, type ChangesRequest, type RawChanges } from "./changes.js";
import { expectCommit, writeCommit } from "./commit-object.js";
import { objectIds } from "./head.js";
import { commitMessage, MIGRATION_TRAILER, STEP_TRAILER, trailerValues } from "./message.js";
import { joinRaw, readable, type RawPath } from "./paths.js";
import { branchRef, repositoryPlace, worktreePlace, type Worktree } from "./places.js";
import { listAgain, type Listing } from "./listing.js";
import type { TreePaths } from "./nested.js";
import type { Pristine } from "./pristine.js";
import { foreign } from "./refs.js";
import type { Identity } from "./repository.js";
import { gitText, runGit, TOWPATH_IDENTITY, type GitPlace } from "./run.js";

const MANY_OBJECTS = 8;

export interface CommitRequest extends ChangesRequest {
  readonly stepId: string;
  readonly message: string;
  /** Trailers besides Towpath's own two. */
  readonly trailers?: Readonly<Record<string, string>> | undefined;
  /** Default: Towpath itself, which is always the committer. */
  readonly author?: Identity | undefined;
  /** The same request at the same time makes the same commit. */
  readonly time: Date;
  /** What `rawChanges` found, when it was asked already. */
  readonly found?: RawChanges | undefined;
}

export interface BuiltCommit {
  /** The base commit when nothing changed. */
  readonly commit: string;
  readonly tree: string;
  readonly changed: boolean;
  /** Where the migration's branch is now, for `advanceBranch`: above the base when the step committed by itself. */
  readonly from: string;
  /** What `advanceBranch` may expect of the worktree; null where too little was known beforehand. */
  readonly expected: Expected | null;
}

/** A commit's worktree, as far as it is known before the branch is moved there. */
export interface Expected {
  readonly tree: string;
  readonly paths: TreePaths;
  /** The files as they were when the changes were staged. */
  readonly listing: Listing;
  /** The files were the commit's when they were looked at last, and nothing has run since. */
  readonly isSeen: boolean;
}

/** A step's changes, taken into Towpath's index: whatever happens to the files from here on is not part of the commit. */
export interface StagedChanges {
  readonly raw: RawChanges;
  readonly baseTree: string;
  readonly from: string;
  /** The files behind it, as they are staged. */
  readonly listing: Listing;
}

/**
 * Makes one commit on top of `base` of everything that `changes` reports, commits of the step's own folded in, without
 * moving the branch.
 * @throws TowpathError `NestedRepository` when the step left a repository in the worktree, which no commit can hold
 */
export async function buildCommit(request: CommitRequest): Promise<BuiltCommit> {
  return commitStaged(request, await stageChanges(request));
}

/**
 * The first half of {@link buildCommit}.
 * @throws TowpathError `NestedRepository`
 */
export async function stageChanges(request: CommitRequest): Promise<StagedChanges> {
  const { worktree, base, signal } = request;
  const place = worktreePlace(worktree);
  const raw = request.found ?? (await rawChanges(request));
  const [isAtBase, [baseTree, from]] = await Promise.all([
    raw.before !== null || isIndexAt(place, base, signal),
    startingPoint(request, raw),
  ]);
  if (!baseTree) throw new TowpathError("GitFailed", `${base} is no commit in ${worktree.commonDir}`);
  if (!from) throw branchGone(worktree);
  refuseEmbedded(raw.embedded);
  if (!isAtBase) await runGit(place, ["read-tree", "--reset", base], { signal });
  await stage(place, raw, signal);
  return { raw, baseTree, from, listing: listingBehind(worktree, raw) };
}

/** The second half of {@link buildCommit}; it reads no file of the worktree, and runs nothing that can be configured. */
export async function commitStaged(
  request: CommitRequest,
  { raw, baseTree, from, listing }: StagedChanges,
): Promise<BuiltCommit> {
  const { worktree, base, signal } = request;
  // An index that is known to be at the base commit, and in which nothing was staged, has that one's tree.
  const isUntouched = raw.before !== null && raw.changed.size + raw.untracked.length === 0;
  const tree = isUntouched ? baseTree : await writeTree(worktree, signal);
  const expected = raw.before === null ? null : { ...expectedBehind(raw, raw.before, tree), listing };
  if (tree === baseTree) return { commit: base, tree, changed: false, from, expected };
  return { commit: await commitTree(request, tree), tree, changed: true, from, expected };
}

async function writeTree(worktree: Worktree, signal: AbortSignal | undefined): Promise<string> {
  const writing = gitText(worktreePlace(worktree), ["write-tree"], { signal });
  expectCommit(worktree);
  return writing;
}

function expectedBehind(raw: RawChanges, before: Pristine, tree: string): Omit<Expected, "listing"> {
  return { tree, paths: pathsBehind(raw, before), isSeen: raw.isAllSeen };
}

function listingBehind(worktree: Worktree, { before, isAsListed }: RawChanges): Listing {
  if (before === null) return "unsure";
  return isAsListed ? before.listing : listAgain(worktree, before.listing);
}

/** The paths of the tree behind it; of directories, perhaps some that are gone. */
function pathsBehind({ changed, untracked }: RawChanges, { paths }: Pristine): TreePaths {
  const [directories, files] = [new Set(paths.directories), new Set(paths.files)];
  for (const [path, kind] of changed) {
    if (kind === "deleted") files.delete(path);
    else files.add(path);
    for (let end = path.indexOf("/"); end !== -1; end = path.indexOf("/", end + 1))
      directories.add(path.slice(0, end));
  }
  for (const path of untracked) files.delete(path);
  return { directories: [...directories], files: [...files] };
}

/**
 * The commit that Towpath made for a step, on the migration's branch above `base`, or null. A commit of the step's own
 * that copies the trailers is not taken for it: its committer is another.
 */
export async function findStepCommit(request: {
  readonly worktree: Worktree;
  readonly base: string;
  readonly stepId: string;
  readonly signal?: AbortSignal | undefined;
}): Promise<{ readonly commit: string; readonly tree: string } | null> {
  const { worktree, base, stepId, signal } = request;
  const format = ["%H %T %cn <%ce>", trailerValues(MIGRATION_TRAILER), trailerValues(STEP_TRAILER)].join(
    "%x1f",
  );
  const range = `${base}..${branchRef(worktree)}`;
  const args = ["log", `--format=${format}`, "--end-of-options", range, "--"];
  const text = await gitText(repositoryPlace(worktree), args, { signal });
  for (const line of text.split("\n")) {
    const [head = "", migration, step] = line.split("\x1f");
    const [commit, tree, ...committer] = head.split(" ");
    if (migration !== worktree.migrationId || step !== stepId || !commit || !tree) continue;
    if (committer.join(" ") === `${TOWPATH_IDENTITY.name} <${TOWPATH_IDENTITY.email}>`)
      return { commit, tree };
  }
  return null;
}

/** The base commit's tree, and where the branch is. */
async function startingPoint(
  { worktree, base, signal }: CommitRequest,
  { before, branchAt }: RawChanges,
): Promise<readonly [tree: string | null | undefined, from: string | null | undefined]> {
  if (before !== null && branchAt !== null) return [before.tree, branchAt];
  const names = [`${base}^{tree}`, `${branchRef(worktree)}^{commit}`];
  const [tree, from] = await objectIds(repositoryPlace(worktree), names, signal);
  return [tree, from];
}

/** Whether our index is at the base commit: an interrupted call may have staged something there. */
async function isIndexAt(place: GitPlace, base: string, signal?: AbortSignal): Promise<boolean> {
  const args = ["diff-index", "--cached", "--quiet", "--ignore-submodules=none", base, "--"];
  return (await runGit(place, args, { signal, accept: [0, 1] })).exitCode === 0;
}

async function stage(place: GitPlace, raw: RawChanges, signal?: AbortSignal): Promise<void> {
  const removed = [...raw.untracked];
  const present: RawPath[] = [];
  for (const [path, kind] of raw.changed) (kind === "deleted" ? removed : present).push(path);
  // Removals first and by name: a directory may be where the file was, a file where the directory was.
  await updateIndex(place, ["--force-remove"], removed, signal);
  await updateIndex(place, ["--add", "--remove", "--replace"], present, signal);
}

async function updateIndex(
  place: GitPlace,
  how: readonly string[],
  paths: readonly RawPath[],
  signal?: AbortSignal,
): Promise<void> {
  if (paths.length === 0) return;
  // A batch is made durable at once; of few objects each by itself is quicker than the batch's own directory.
  const config = paths.length > MANY_OBJECTS ? [] : ["core.fsyncMethod=fsync"];
  await runGit(place, ["update-index", ...how, "-z", "--stdin"], { signal, config, input: joinRaw(paths) });
}

async function commitTree(request: CommitRequest, tree: string): Promise<string> {
  const { worktree, base, message, stepId, trailers = {}, author = TOWPATH_IDENTITY, time, signal } = request;
  const content = {
    tree,
    parent: base,
    author,
    committer: TOWPATH_IDENTITY,
    seconds: Math.floor(time.getTime() / 1000),
    message: commitMessage(message, {
      ...trailers,
      [MIGRATION_TRAILER]: worktree.migrationId,
      [STEP_TRAILER]: stepId,
    }),
  };
  return writeCommit(worktree, content, signal);
}

function refuseEmbedded(embedded: readonly RawPath[]): void {
  if (embedded.length === 0) return;
  const names = embedded.map((path) => `${readable(path)}/`);
  throw new TowpathError(
    "NestedRepository",
    `the step left a git repository in the worktree, which a commit cannot hold: ${listFiles(names)}. ` +
      "Let the step remove it (or its .git), or name it in workspace.exclude.",
    { details: { paths: names } },
  );
}

function branchGone(worktree: Worktree): TowpathError {
  return foreign(`the branch ${worktree.branch} is gone: somebody deleted it`, worktree.branch, null);
}
