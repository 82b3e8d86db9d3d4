import { isStillThere, type Pristine } from "../adapters/git/pristine.js";
import type { Worktree } from "../adapters/git/places.js";
import { stillPristine } from "../adapters/git/settle.js";
import { headOf, type Manifest } from "../model/manifest.js";
import { type Host, type SpecMigration, worktreePath } from "./host.js";

/**
 * How long it may be relied on that nobody was in a worktree since. Nothing is written into it by Towpath meanwhile, so
 * this bounds how long a person's edit is taken for the next step's, as one that is made during the step always is.
 */
const RELIED_ON_MS = 5_000;

/** A worktree that was left in order, and what it is. */
export interface KnownWorktree {
  readonly worktree: Worktree;
  readonly pristine: Pristine;
}

interface Remembered extends KnownWorktree {
  /** Of the manifest, when it was written last. */
  readonly revision: number;
  /** Afterwards a person may have been there. */
  readonly until: number;
}

/** Of this process alone, by path: whoever takes over from it has to look. */
const remembered = new Map<string, Remembered>();

/**
 * Remembers that the worktree was left in order: it is as the commit says, no process and no lock is left in it.
 * @param manifest as it was written last
 * @param pristine null: it is not known what it is
 */
export function rememberWorktree(
  host: Host,
  manifest: Manifest,
  worktree: Worktree,
  pristine: Pristine | null,
): void {
  if (pristine === null) return;
  const { id, revision } = manifest;
  const until = performance.now() + RELIED_ON_MS;
  remembered.set(worktreePath(host.dataDir, id), { worktree, pristine, revision, until });
}

/** Whoever begins with looking anew knows better. */
export function forgetWorktree({ dataDir }: Pick<Host, "dataDir">, migrationId: string): void {
  remembered.delete(worktreePath(dataDir, migrationId));
}

/**
 * Notes that the manifest was written and that nothing was done in the worktree meanwhile: what is known of it holds,
 * if this was the only write.
 */
export function keepKnownWorktree(host: Host, { id, revision }: Manifest): void {
  const path = worktreePath(host.dataDir, id);
  const known = remembered.get(path);
  if (known?.revision === revision - 1) remembered.set(path, { ...known, revision });
}

/**
 * The worktree, if it was left in order in this process and nothing has happened since. It is told once: whoever takes
 * it remembers it again only if all goes well.
 * @returns null when the manifest was written by somebody else since (a rollback, another worker), when the branch is
 * at another commit, or somebody was there
 */
export async function takeKnownWorktree(
  host: Host,
  { id, manifest, exclude }: SpecMigration,
  signal: AbortSignal,
): Promise<KnownWorktree | null> {
  const path = worktreePath(host.dataDir, id);
  const known = remembered.get(path);
  remembered.delete(path);
  if (known?.revision !== manifest.revision || known.pristine.commit !== headOf(manifest)) return null;
  if (performance.now() > known.until) return confirmed(known, exclude, signal);
  return isStillThere(known.worktree, known.pristine) ? known : null;
}

/** Looks whether a worktree still is what it was, by one git process. @returns null where it is not */
export async function confirmed(
  { worktree, pristine }: KnownWorktree,
  exclude: readonly string[],
  signal: AbortSignal,
): Promise<KnownWorktree | null> {
  if (!isStillThere(worktree, pristine)) return null;
  const found = await stillPristine(worktree, pristine, exclude, signal);
  return found === null ? null : { worktree, pristine: found };
}
