import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import lockfile from "proper-lockfile";
import { TowpathError } from "../../model/errors.js";
import { hasCode } from "../../model/system-errors.js";

const RETRY_MS = 50;
const STALE_MS = 10_000;

/** Says whether the lock is still ours: a holder that was suspended for longer than the stale time has lost it. */
export interface HeldLock {
  /** @throws TowpathError `LockUnavailable` when the lock was taken over */
  ensureHeld(): void;
}

/**
 * Runs `body` while holding the lock `path` against other processes.
 * @param waitMs how long to wait for the holder before giving up
 * @throws TowpathError `LockUnavailable`
 */
export async function withLock<T>(
  path: string,
  waitMs: number,
  body: (lock: HeldLock) => Promise<T>,
): Promise<T> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  let lost = false;
  const release = await acquire(path, waitMs, () => {
    lost = true;
  });
  const ensureHeld = (): void => {
    if (lost)
      throw new TowpathError("LockUnavailable", `The lock ${path} was lost while working; run it again.`);
  };
  try {
    return await body({ ensureHeld });
  } finally {
    await releaseQuietly(release);
  }
}

async function acquire(
  path: string,
  waitMs: number,
  onCompromised: () => void,
): Promise<() => Promise<void>> {
  try {
    return await lockfile.lock(path, {
      lockfilePath: `${path}.lock`,
      realpath: false,
      stale: STALE_MS,
      update: 2_000,
      retries: {
        retries: Math.ceil(waitMs / RETRY_MS),
        minTimeout: RETRY_MS,
        maxTimeout: RETRY_MS,
        factor: 1,
      },
      onCompromised,
    });
  } catch (error) {
    if (!hasCode(error, "ELOCKED")) throw error;
    throw new TowpathError(
      "LockUnavailable",
      `Another Towpath process holds ${path}.lock for more than ${Math.round(waitMs / 1000)} s; wait for it to end.`,
      { cause: error, details: { path } },
    );
  }
}

async function releaseQuietly(release: () => Promise<void>): Promise<void> {
  try {
    await release();
  } catch (error) {
    // Taken over or already released: there is nothing of ours left to release.
    if (!hasCode(error, "ERELEASED") && !hasCode(error, "ENOTACQUIRED")) throw error;
  }
}
