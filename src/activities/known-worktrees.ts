import type { Pristine } from "../adapters/git/pristine.js";
import type { Worktree } from "../adapters/git/places.js";

/**
 * How long it may be relied on that nobody was in a worktree since. Nothing is written into it by Towpath meanwhile, so
 * this bounds how long a person's edit is taken for the next step's, as one that is made during the step always is.
 */
const RELIED_ON_MS = 5_000;

/** What is remembered of a worktree that an attempt left in order. */
export interface KnownWorktree {
  readonly worktree: Worktree;
  readonly pristine: Pristine;
}

interface Remembered extends KnownWorktree {
  readonly revision: number;
  readonly until: number;
}

export interface TakenWorktree extends KnownWorktree {
  /** So much time has passed that a person may have been there. */
  readonly isStale: boolean;
}

/** Of this process alone: whoever takes over from it has to look. */
const remembered = new Map<string, Remembered>();

/**
 * Remembers that an attempt ended in order: the worktree is as the commit says, no process and no lock is left in it.
 * @param path where the host keeps it
 * @param revision of the manifest that the attempt wrote last
 */
export function rememberWorktree(path: string, known: KnownWorktree, revision: number): void {
  remembered.set(path, { ...known, revision, until: performance.now() + RELIED_ON_MS });
}

/**
 * What is known of the worktree at a path, once: whoever takes it remembers it again only if all goes well. Null when
 * the manifest was written since (a wait, a rollback, another worker), or when it is at another commit.
 */
export function takeKnownWorktree(
  path: string,
  expected: { readonly revision: number; readonly head: string },
): TakenWorktree | null {
  const known = remembered.get(path);
  remembered.delete(path);
  if (known?.revision !== expected.revision || known.pristine.commit !== expected.head) return null;
  const { worktree, pristine, until } = known;
  return { worktree, pristine, isStale: performance.now() > until };
}
