import type { Change, ChangeKind } from "../../model/scope.js";
import { translated } from "./context.js";
import { writeExcludes } from "./exclude.js";
import { lstatIfPresent } from "./files.js";
import { isIndexTouched } from "./index-file.js";
import { touchedSince } from "./listing.js";
import { hasBlobBytes, joinRaw, onDisk, rawPaths, readable, type RawPath } from "./paths.js";
import { stepIndex, worktreePlace, type Worktree } from "./places.js";
import { isAsNoted, isStillThere, type Pristine } from "./pristine.js";
import { runGit, type GitPlace } from "./run.js";
import { glanced } from "./status.js";
import { restoreAccess } from "./undo.js";
import { requireDirectory } from "./worktree.js";

export interface ChangesRequest {
  readonly worktree: Worktree;
  /** Full commit id. */
  readonly base: string;
  /** Gitignore patterns of what is never committed, relative to the project's directory. */
  readonly exclude?: readonly string[] | undefined;
  /** What the worktree was before the step, if that is known: then one look tells everything. */
  readonly before?: Pristine | null | undefined;
  /** Nothing will run in the worktree behind this look: then it may be the last. */
  readonly isLast?: boolean | undefined;
  /** A file that was written with what it held before is no change: then git is asked in any case. */
  readonly isExact?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What has to happen to an index at the base commit to make it agree with the worktree. */
export interface RawChanges {
  readonly changed: ReadonlyMap<RawPath, ChangeKind>;
  /** Paths that a step took out of its index and that git ignores: they stay on disk and leave the tree. */
  readonly untracked: readonly RawPath[];
  /** Directories with a git repository of their own that is no submodule. */
  readonly embedded: readonly RawPath[];
  /** The worktree before the step, where Towpath's index still is what it was then: at the base commit. */
  readonly before: Pristine | null;
  /** Where the migration's branch is, if looking for changes told it. */
  readonly branchAt: string | null;
  /** This was the last look, and the step has not so much as touched a file besides those that changed. */
  readonly isAllSeen: boolean;
  /** Every file is as it was listed before the step. */
  readonly isAsListed: boolean;
  /** Otherwise there may be files among those that changed which were written with what they held before. */
  readonly isExact: boolean;
}

export interface RawDifference {
  readonly oldMode: string;
  readonly newMode: string;
  readonly oldId: string;
  readonly status: string;
  readonly path: RawPath;
}

/** Git's mode of a submodule. */
const SUBMODULE_MODE = "160000";

/**
 * Everything that differs between the base commit and the worktree, sorted by path: uncommitted work, commits that a
 * step made itself, untracked files that nothing ignores. A directory with a repository of its own is one change whose
 * path ends in `/`.
 */
export async function changes(request: ChangesRequest): Promise<Change[]> {
  return listChanges(await rawChanges({ ...request, isExact: true }));
}

/** What `rawChanges` found, for people and rules: sorted by path. */
export function listChanges({ changed, untracked, embedded }: RawChanges): Change[] {
  const all = [
    ...[...changed].map(([path, kind]) => ({ path: readable(path), kind })),
    ...untracked.map((path) => ({ path: readable(path), kind: "deleted" as const })),
    ...embedded.map((path) => ({ path: `${readable(path)}/`, kind: "added" as const })),
  ];
  return all.sort((a, b) => (a.path < b.path ? -1 : Number(a.path > b.path)));
}

/** As `changes`, with the bytes of the paths and what is needed to stage them. */
export async function rawChanges(request: ChangesRequest): Promise<RawChanges> {
  const { path } = request.worktree;
  return translated(`Cannot tell what changed in ${path}`, request.signal, () => collect(request));
}

async function collect(request: ChangesRequest): Promise<RawChanges> {
  const { worktree, base, exclude = [], signal } = request;
  requireDirectory(worktree);
  const excludesFile = writeExcludes(worktree, exclude);
  const place = worktreePlace(worktree, excludesFile);
  const before = await stillKnown(request);
  const isTouched = isIndexTouched(worktree);
  const told = before === null || isTouched ? null : toldByFiles(request, before);
  if (told !== null) return told;
  const isLast = request.isLast === true && before !== null && !isTouched;
  const [{ differences, others, branchAt }, marks] = await Promise.all([
    before === null ? compared(place, base, signal) : glanced(worktree, place, { signal, refresh: isLast }),
    isTouched ? stepMarks(place, stepPlace(worktree, place), base, excludesFile, signal) : NO_MARKS,
  ]);
  if (isLast) await restoreAccess(worktree, before.paths);
  const seen = { before, branchAt, isAllSeen: isLast, isAsListed: false, isExact: true };
  const result = new Collection(worktree, seen);
  for (const path of others) result.addOther(path);
  for (const difference of differences) await result.addDifference(difference, marks.removed);
  for (const path of marks.removed) await result.addRemoved(path);
  for (const path of marks.added) await result.addForced(path);
  return result;
}

/** What the files themselves tell by their times, where git would be asked in vain; null where it has to be asked. */
function toldByFiles(
  { worktree, isLast = false, isExact = false }: ChangesRequest,
  before: Pristine,
): RawChanges | null {
  const rewritten = rewrittenFiles(worktree, before);
  const isSame = rewritten?.length === 0;
  if (rewritten === null || (isExact && !isSame) || !isStillThere(worktree, before)) return null;
  const seen = { before, branchAt: before.commit, isAllSeen: isLast, isAsListed: isSame, isExact: isSame };
  const result = new Collection(worktree, seen);
  for (const path of rewritten) result.changed.set(path, "modified");
  return result;
}

/** Files by which git tells what the others are. */
const GOVERNING = /(?:^|\/)\.git(?:ignore|attributes|modules)$/i;

/** The tracked files that were written, where nothing else was touched; null otherwise. */
function rewrittenFiles(worktree: Worktree, { listing, paths }: Pristine): readonly RawPath[] | null {
  const touched = touchedSince(worktree, listing);
  if (touched === null || touched.length === 0) return touched;
  const tracked = new Set(paths.files);
  return touched.every((path) => tracked.has(path) && !GOVERNING.test(path)) ? touched : null;
}

function stepPlace(worktree: Worktree, place: GitPlace): GitPlace {
  return { ...place, env: { ...place.env, GIT_INDEX_FILE: stepIndex(worktree) } };
}

async function stillKnown({ worktree, base, before = null }: ChangesRequest): Promise<Pristine | null> {
  if (before === null || before.commit !== base) return null;
  return isAsNoted(worktree, before) ? before : null;
}

interface Look {
  readonly differences: readonly RawDifference[];
  /** Files that are not in Towpath's index and that nothing ignores. */
  readonly others: readonly RawPath[];
  readonly branchAt: string | null;
}

/** Compares with the base commit, wherever Towpath's index is. */
async function compared(place: GitPlace, base: string, signal?: AbortSignal): Promise<Look> {
  const [differences, others] = await Promise.all([
    trackedDifferences(place, base, signal),
    runGit(place, ["ls-files", "-z", "--others", "--exclude-standard"], { signal }),
  ]);
  return { differences, others: rawPaths(others.stdout), branchAt: null };
}

class Collection implements RawChanges {
  readonly changed = new Map<RawPath, ChangeKind>();
  readonly untracked: RawPath[] = [];
  readonly embedded: RawPath[] = [];
  readonly before: Pristine | null;
  readonly branchAt: string | null;
  readonly isAllSeen: boolean;
  readonly isAsListed: boolean;
  readonly isExact: boolean;

  constructor(
    private readonly worktree: Worktree,
    {
      before,
      branchAt,
      isAllSeen,
      isAsListed: isSame,
      isExact,
    }: Omit<RawChanges, "changed" | "untracked" | "embedded">,
  ) {
    this.before = before;
    this.branchAt = branchAt;
    this.isAllSeen = isAllSeen;
    this.isAsListed = isSame;
    this.isExact = isExact;
  }

  addOther(path: RawPath): void {
    if (path.endsWith("/")) this.embedded.push(path.slice(0, -1));
    else this.changed.set(path, "added");
  }

  async addDifference(difference: RawDifference, removed: ReadonlySet<RawPath>): Promise<void> {
    const { path, status } = difference;
    if (removed.has(path)) return;
    if (status === "D") await this.addMissing(difference);
    else if (status === "A") this.changed.set(path, "added");
    else if (status === "T") this.changed.set(path, "type-changed");
    else if (!(await this.isUntouched(difference))) this.changed.set(path, "modified");
  }

  /** Not in the index: gone, or there all the same because the index is not at the base commit. */
  private async addMissing(difference: RawDifference): Promise<void> {
    const { path } = difference;
    this.changed.delete(path);
    const found = lstatIfPresent(onDisk(this.worktree, path));
    if (found === null || found.isDirectory()) {
      this.changed.set(path, "deleted");
      if (found !== null && (await this.isRepository(path))) this.embedded.push(path);
    } else if (!(await hasBlobBytes(this.worktree, path, difference.oldId))) {
      this.changed.set(path, "modified");
    }
  }

  async addRemoved(path: RawPath): Promise<void> {
    const found = lstatIfPresent(onDisk(this.worktree, path));
    if (found === null) this.changed.set(path, "deleted");
    else this.untracked.push(path);
  }

  async addForced(path: RawPath): Promise<void> {
    const found = lstatIfPresent(onDisk(this.worktree, path));
    if (found === null || found.isDirectory() || this.changed.has(path)) return;
    this.changed.set(path, "added");
  }

  private async isUntouched({ path, oldMode, newMode, oldId }: RawDifference): Promise<boolean> {
    if (oldMode !== newMode || oldMode === SUBMODULE_MODE) return false;
    return hasBlobBytes(this.worktree, path, oldId);
  }

  private async isRepository(path: RawPath): Promise<boolean> {
    return lstatIfPresent(onDisk(this.worktree, `${path}/.git`)) !== null;
  }
}

async function trackedDifferences(
  place: GitPlace,
  base: string,
  signal?: AbortSignal,
): Promise<RawDifference[]> {
  const options = ["--raw", "-z", "--no-abbrev", "--no-renames", "--no-ext-diff", "--no-textconv"];
  const args = ["diff", ...options, "--ignore-submodules=dirty", "--end-of-options", base, "--"];
  const { stdout } = await runGit(place, args, { signal });
  return parseRaw(stdout);
}

/** Reads `:oldmode newmode oldid newid status NUL path NUL …`. */
function parseRaw(output: Buffer): RawDifference[] {
  const fields = rawPaths(output);
  const differences: RawDifference[] = [];
  for (let at = 0; at + 1 < fields.length; at += 2) {
    const [oldMode = "", newMode = "", oldId = "", , status = ""] = (fields[at] ?? "").slice(1).split(" ");
    differences.push({ oldMode, newMode, oldId, status: status.charAt(0), path: fields[at + 1] ?? "" });
  }
  return differences;
}

interface StepMarks {
  /** Ignored files that the step took out of its index (`git rm --cached`). */
  readonly removed: ReadonlySet<RawPath>;
  /** Ignored files that the step put into its index or committed (`git add --force`). */
  readonly added: readonly RawPath[];
}

const NO_MARKS: StepMarks = { removed: new Set(), added: [] };

/**
 * What only the step's own index can say: which ignored files it means to be tracked or no longer tracked. Looked at when
 * the step has used git; an index that cannot be read says nothing, the worktree is what counts.
 */
async function stepMarks(
  place: GitPlace,
  own: GitPlace,
  base: string,
  excludesFile: string | undefined,
  signal?: AbortSignal,
): Promise<StepMarks> {
  const args = ["diff-index", "--cached", "-z", "--no-renames", "--ignore-submodules=all", base, "--"];
  const answer = await runGit(own, args, { signal, accept: [0, 128] });
  if (answer.exitCode !== 0) return NO_MARKS;
  const differences = parseRaw(answer.stdout).filter((difference) => difference.newMode !== SUBMODULE_MODE);
  const pathsOf = (status: string) =>
    differences.filter((difference) => difference.status === status).map((difference) => difference.path);
  const [removed, added] = [pathsOf("D"), pathsOf("A")];
  const ignored = new Set(await ignoredOf(place, removed, signal));
  const excluded = new Set(added.length === 0 ? [] : await excludedOf(own, excludesFile, signal));
  return {
    removed: new Set(removed.filter((path) => ignored.has(path))),
    added: added.filter((path) => !excluded.has(path)),
  };
}

async function ignoredOf(
  place: GitPlace,
  paths: readonly RawPath[],
  signal?: AbortSignal,
): Promise<RawPath[]> {
  if (paths.length === 0) return [];
  const args = ["check-ignore", "-z", "--stdin", "--no-index"];
  const { stdout } = await runGit(place, args, { signal, input: joinRaw(paths), accept: [0, 1] });
  return rawPaths(stdout);
}

async function excludedOf(
  place: GitPlace,
  excludesFile: string | undefined,
  signal?: AbortSignal,
): Promise<RawPath[]> {
  if (excludesFile === undefined) return [];
  const args = ["ls-files", "-z", "--cached", "--ignored", `--exclude-from=${excludesFile}`];
  return rawPaths((await runGit(place, args, { signal })).stdout);
}
