import { AsyncLocalStorage } from "node:async_hooks";
import { lstatSync, mkdirSync, readdirSync, rmdirSync, rmSync, statSync, utimesSync } from "node:fs";
import { basename, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { lock as acquire } from "proper-lockfile";
import { TowpathError } from "../../model/errors.js";
import { PRIVATE_DIRECTORY } from "./data-directory.js";
import { kindAt, storageFailed } from "./files.js";
import type { MigrationPaths } from "./paths.js";
import { hasCode } from "../../model/system-errors.js";

/** A killed holder is taken over after this time. */
export const LOCK_STALE_MS = 10_000;

type Callback = (error: unknown, result?: unknown) => void;

/**
 * What the library calls, answered at once: as everywhere in this room, the thread pool would take longer. One object
 * for all locks, for the library notes in it how exact the file system's times are.
 */
const IMMEDIATE = {
  mkdir: (path: string, callback: Callback) => answer(() => mkdirSync(path), callback),
  rmdir: (path: string, callback: Callback) => answer(() => rmdirSync(path), callback),
  stat: (path: string, callback: Callback) => answer(() => statSync(path), callback),
  utimes: (path: string, atime: Date, mtime: Date, callback: Callback) =>
    answer(() => utimesSync(path, atime, mtime), callback),
  rmdirSync,
};

function answer(call: () => unknown, callback: Callback): void {
  let result: unknown;
  try {
    result = call();
  } catch (error) {
    callback(error);
    return;
  }
  callback(null, result);
}

/** Measured settings (reference: reliability.md). */
const SETTINGS = { realpath: false, update: 2_000, retries: 0, fs: IMMEDIATE };
const RETRIES = { count: 400, firstMs: 5, longestMs: 50, factor: 1.5 };

/** The lock as its holder sees it. */
export interface HeldLock {
  /**
   * Whether the lock is still this holder's. What was staged before the answer is swept away by the next holder before
   * it begins: so whatever puts a staged file in its place at once behind a yes has fenced itself off.
   */
  readonly isHeld: () => boolean;
  /**
   * Checks that the lock is still this holder's: one that was suspended may have been taken over meanwhile.
   * Synchronous, so that nothing comes between the check and a synchronous write behind it.
   * @throws TowpathError `LockUnavailable`
   */
  readonly assertHeld: () => void;
}

/** Something that one holder at a time may change. */
export interface LockPlace {
  /** What is guarded: absolute. */
  readonly directory: string;
  /** The lock itself, a directory. */
  readonly lock: string;
  /** How messages name what is guarded. */
  readonly name: string;
  /** Sees to it that the lock can be made. */
  readonly prepare: () => Promise<void>;
  /** What a new holder does before anything else: takes away what an overtaken one has staged. */
  readonly enter?: () => void;
  /** The error for a place that does not exist (any more). */
  readonly gone: (cause: unknown) => TowpathError;
}

/** Waiting holders of one process queue here; only the first goes to the file system. */
const queues = new Map<string, Promise<void>>();

/** The locks that the current call chain holds; ended ones stay listed in work that outlives its call. */
const holding = new AsyncLocalStorage<ReadonlyMap<string, { ended: boolean }>>();

/**
 * Runs `action` under the exclusive lock of a migration's directory. The lock is for throughput: what must not be
 * lost is guarded by the chain's compare-and-set as well, because a suspended holder can be taken over.
 * The directory is never made; a deleted migration stays deleted.
 * @throws TowpathError `MigrationNotFound`, `LockUnavailable`; `Internal` when this call already holds the lock
 */
export async function withLock<T>(
  paths: MigrationPaths,
  stale: number,
  action: (held: HeldLock) => Promise<T>,
): Promise<T> {
  const { directory, lock } = paths;
  const place: LockPlace = {
    directory,
    lock,
    name: `the migration ${basename(directory)}`,
    prepare: async () => ensureState(paths),
    enter: () => sweepStaging(paths),
    gone: (cause) => migrationNotFound(paths, cause),
  };
  return withLockAt(place, stale, action);
}

/**
 * Runs `action` while nobody else, in this process or another, changes what the lock guards.
 * @throws TowpathError `LockUnavailable`; what `prepare` and `gone` say; `Internal` when this call already holds the lock
 */
export async function withLockAt<T>(
  place: LockPlace,
  stale: number,
  action: (held: HeldLock) => Promise<T>,
): Promise<T> {
  const key = place.directory;
  const outer = holding.getStore() ?? new Map<string, { ended: boolean }>();
  if (outer.get(key)?.ended === false) {
    throw new TowpathError(
      "Internal",
      `The lock of ${place.name} is taken at the outermost call only: a write was started inside another`,
    );
  }
  const leave = await enterQueue(key);
  const section = { ended: false };
  try {
    return await holding.run(new Map([...outer, [key, section]]), () => locked(place, stale, action));
  } finally {
    section.ended = true;
    leave();
  }
}

/** Waits until nobody in this process is in front; the answer lets the next one in. */
async function enterQueue(key: string): Promise<() => void> {
  const before = queues.get(key);
  let open: (() => void) | undefined;
  const mine = new Promise<void>((resolve) => {
    open = resolve;
  });
  queues.set(key, mine);
  await before;
  return () => {
    if (queues.get(key) === mine) queues.delete(key);
    open?.();
  };
}

async function locked<T>(
  place: LockPlace,
  stale: number,
  action: (held: HeldLock) => Promise<T>,
): Promise<T> {
  let compromised = false;
  const release = await acquireLock(place, stale, () => (compromised = true));
  try {
    const identity = lockIdentity(place.lock);
    const isHeld = (): boolean => !compromised && identity !== null && lockIdentity(place.lock) === identity;
    place.enter?.();
    return await action({
      isHeld,
      assertHeld: () => {
        if (isHeld()) return;
        throw new TowpathError(
          "LockUnavailable",
          `The lock of ${place.name} was taken over while this process stood still; nothing was written`,
        );
      },
    });
  } finally {
    await releaseLock(release);
  }
}

async function acquireLock(
  place: LockPlace,
  stale: number,
  onCompromised: () => void,
): Promise<() => Promise<void>> {
  const { directory, lock, name } = place;
  await place.prepare();
  try {
    return await retryWhileLocked(place, stale, () =>
      acquire(directory, { ...SETTINGS, stale, lockfilePath: lock, onCompromised }),
    );
  } catch (error) {
    if (error instanceof TowpathError) throw error;
    if (hasCode(error, "ELOCKED")) {
      throw new TowpathError(
        "LockUnavailable",
        `${name.charAt(0).toUpperCase()}${name.slice(1)} is locked by another process; try again when it is done`,
        { cause: error },
      );
    }
    if (hasCode(error, "ENOENT")) throw place.gone(error);
    throw storageFailed("lock", lock, error);
  }
}

/** Not by the library's own retries, which also try a full or read-only disk for twenty seconds. */
async function retryWhileLocked<T>(place: LockPlace, stale: number, take: () => Promise<T>): Promise<T> {
  const watch = new DeadLockWatch(place.lock, stale);
  for (let tried = 0; ; tried += 1) {
    try {
      return await take();
    } catch (error) {
      if (tried === RETRIES.count || !hasCode(error, "ELOCKED", "ENOENT")) throw error;
      watch.look();
      // The lock was taken over in the moment in which it was made, if what it guards is still there.
      if (hasCode(error, "ENOENT")) await place.prepare();
      const pauseMs = RETRIES.firstMs * RETRIES.factor ** Math.min(tried, 10) * (1 + Math.random());
      await delay(Math.min(pauseMs, RETRIES.longestMs));
    }
  }
}

/**
 * A holder touches its lock again and again. One that nobody touched for the whole stale time, by a clock that nobody
 * sets, is dead, whatever the lock's own time says: where the machine's clock was set back it lies in the future.
 */
class DeadLockWatch {
  private seen: string | null = null;
  private since = performance.now();

  constructor(
    private readonly lock: string,
    private readonly stale: number,
  ) {}

  look(): void {
    const stats = lstatSync(this.lock, { bigint: true, throwIfNoEntry: false });
    const now = stats === undefined ? null : `${stats.ino} ${stats.birthtimeNs} ${stats.mtimeNs}`;
    if (now !== this.seen) {
      this.seen = now;
      this.since = performance.now();
    } else if (now !== null && performance.now() - this.since > this.stale) {
      // The library then finds it stale; that a living holder's work is fenced off does not hang on it.
      age(this.lock);
    }
  }
}

function age(lock: string): void {
  try {
    utimesSync(lock, 0, 0);
  } catch (error) {
    // Given back in this moment.
    if (!hasCode(error, "ENOENT")) throw error;
  }
}

async function releaseLock(release: () => Promise<void>): Promise<void> {
  try {
    await release();
  } catch (error) {
    // Taken over, or its directory deleted: either way it is no longer ours to release.
    if (!hasCode(error, "ERELEASED", "ENOTACQUIRED", "ENOENT")) throw error;
  }
}

/** A directory of the predecessor's has no `state/` yet. */
function ensureState(paths: MigrationPaths): void {
  assertMigrationDirectory(paths);
  if (kindAt(paths.staging) === "directory") return;
  for (const directory of [paths.state, paths.staging]) ensureDirectory(paths, directory);
}

function ensureDirectory(paths: MigrationPaths, directory: string): void {
  try {
    mkdirSync(directory, { mode: PRIVATE_DIRECTORY });
  } catch (error) {
    if (hasCode(error, "ENOENT")) throw migrationNotFound(paths, error);
    if (!hasCode(error, "EEXIST") || kindAt(directory) !== "directory") {
      throw storageFailed("make the directory", directory, error);
    }
  }
}

/** Synchronous and without a look at whose they are: nobody else may be staging anything under this lock. */
function sweepStaging({ staging }: MigrationPaths): void {
  try {
    for (const name of readdirSync(staging)) rmSync(join(staging, name), { force: true });
  } catch (error) {
    throw storageFailed("clear", staging, error);
  }
}

/**
 * Refuses what is no migration's directory; a symbolic link is none.
 * @throws TowpathError `MigrationNotFound`
 */
export function assertMigrationDirectory(paths: MigrationPaths): void {
  if (kindAt(paths.directory) !== "directory") throw migrationNotFound(paths);
}

function migrationNotFound(paths: MigrationPaths, cause?: unknown): TowpathError {
  const id = basename(paths.directory);
  return new TowpathError("MigrationNotFound", `Migration not found: ${id}`, {
    cause,
    details: { migration_id: id },
  });
}

/** Tells one lock directory from another that was made in its place, also under a reused inode number. */
function lockIdentity(path: string): string | null {
  try {
    const stats = lstatSync(path, { bigint: true, throwIfNoEntry: false });
    return stats === undefined ? null : `${stats.ino} ${stats.birthtimeNs}`;
  } catch (error) {
    throw storageFailed("look at", path, error);
  }
}
