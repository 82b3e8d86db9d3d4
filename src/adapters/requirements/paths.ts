import { join } from "node:path";
import { TowpathError } from "../../model/errors.js";
import { DOCUMENT_PATH } from "../../model/requirements/documents.js";
import { ensureDirectory, isDirectoryThere } from "./directories.js";
import { readText, renameInto, writeTemporary } from "../store/files.js";
import { type HeldLock, LOCK_STALE_MS, withLockAt } from "../store/lock.js";

/** Where everything about a project's requirements document lies; absolute where `project` is. */
export interface RequirementsPaths {
  readonly project: string;
  readonly directory: string;
  readonly ignore: string;
  /** The current text, for people and agents: a projection of what the pointer names. */
  readonly document: string;
  readonly state: string;
  readonly pointer: string;
  readonly copies: string;
  /** What is remembered of files so that they need not be read again. */
  readonly index: string;
  readonly lock: string;
}

export function requirementsPaths(project: string): RequirementsPaths {
  const directory = join(project, ".towpath");
  const state = join(directory, "state");
  return {
    project,
    directory,
    ignore: join(directory, ".gitignore"),
    document: join(project, DOCUMENT_PATH),
    state,
    pointer: join(state, "prd-signature.json"),
    copies: join(state, "prd"),
    index: join(state, "code-index"),
    lock: join(state, ".prd-lock"),
  };
}

/** The copy of a document under its sha. */
export function copyPath(paths: RequirementsPaths, sha: string): string {
  return join(paths.copies, `${sha}.md`);
}

const LISTING = /^code-([0-9a-f]{64})\.list$/;

/** The files that a signature of the code is made of. */
export function listingPath(paths: RequirementsPaths, signature: string): string {
  return join(paths.state, `code-${signature}.list`);
}

/** The signature that a listing's name carries; null for any other file. */
export function signatureOfListing(name: string): string | null {
  return LISTING.exec(name)?.[1] ?? null;
}

/**
 * Makes the project's directories for Towpath where they are missing, hidden from git.
 * @throws TowpathError `StorageFailed`, also where something else (a link, a file) is in their place
 */
export async function ensureDirectories(paths: RequirementsPaths): Promise<void> {
  if (!(await isDirectoryThere(paths.project))) throw projectGone(paths);
  await ensureDirectory(paths.directory, 0o755);
  await ensureDirectory(paths.state, 0o700);
  await ensureDirectory(paths.copies, 0o700);
  await hideFromGit(paths);
}

/** Whoever has an ignore file of their own there knows best; an empty one is what a killed writer leaves. */
async function hideFromGit(paths: RequirementsPaths): Promise<void> {
  const text = await readText(paths.ignore);
  if (text !== null && text !== "") return;
  const temporary = await writeTemporary(paths.state, "*\n", paths.ignore, 0o644);
  renameInto(temporary.path, paths.ignore);
}

/**
 * Runs `action` while nobody else changes the project's requirements document.
 * @throws TowpathError `LockUnavailable`, `StorageFailed`
 */
export function withRequirementsLock<T>(
  paths: RequirementsPaths,
  action: (held: HeldLock) => Promise<T>,
  staleMs: number = LOCK_STALE_MS,
): Promise<T> {
  const { directory, lock } = paths;
  return withLockAt(
    {
      directory,
      lock,
      name: `the requirements document of ${paths.project}`,
      prepare: () => ensureDirectories(paths),
      gone: () => projectGone(paths),
    },
    staleMs,
    action,
  );
}

function projectGone({ project }: RequirementsPaths): TowpathError {
  return new TowpathError("StorageFailed", `The project ${project} is no directory (any more): put it back`);
}
