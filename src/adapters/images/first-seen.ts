import { randomBytes } from "node:crypto";
import { mkdir, open, readFile, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import lockfile from "proper-lockfile";
import { z } from "zod";
import { messageOf, TowpathError } from "../../model/errors.js";
import { hasCode } from "../../model/system-errors.js";

/** Repository (normalised) → full image id → ms since the epoch. */
const FirstSeenFile = z.object({
  version: z.literal(1),
  repositories: z.record(z.string(), z.record(z.string(), z.number())),
});
type FirstSeenFile = z.infer<typeof FirstSeenFile>;

const LOCK_OPTIONS = {
  realpath: false,
  stale: 10_000,
  update: 2000,
  retries: { retries: 400, minTimeout: 5, maxTimeout: 50, factor: 1.5, randomize: true },
};

/** Where a host remembers which images it has seen. */
export function firstSeenPath(dataDir: string): string {
  return join(dataDir, "images", "first-seen.json");
}

/**
 * Records the images of a repository that this host has now and forgets those that are gone. An image that is seen
 * again keeps its time: when it was built says nothing about when it came here.
 * @param present full ids of the images that have a name in the repository
 * @param existing full ids of all images of the engine: an image that lost its name is still known to be the repository's
 * @returns when each was first seen, ms since the epoch
 * @throws TowpathError `StorageFailed`
 */
export async function noteSeen(
  dataDir: string,
  repository: string,
  present: readonly string[],
  existing: readonly string[],
  now: Date,
): Promise<Record<string, number>> {
  const path = firstSeenPath(dataDir);
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    return await locked(path, async (ensureHeld) => {
      const file = await read(path);
      const known = file.repositories[repository] ?? {};
      const alive = new Set(existing);
      const kept = Object.entries(known).filter(([id]) => alive.has(id));
      const fresh = present
        .filter((id) => !Object.hasOwn(known, id))
        .map((id) => [id, now.getTime()] as const);
      const seen = Object.fromEntries([...kept, ...fresh]);
      ensureHeld();
      await write(path, { version: 1, repositories: { ...file.repositories, [repository]: seen } });
      return seen;
    });
  } catch (error) {
    if (error instanceof TowpathError) throw error;
    throw new TowpathError("StorageFailed", `Cannot record the images in ${path}: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

async function read(path: string): Promise<FirstSeenFile> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if (hasCode(error, "ENOENT")) return { version: 1, repositories: {} };
    throw error;
  }
  const parsed = FirstSeenFile.safeParse(jsonOf(text));
  if (parsed.success) return parsed.data;
  throw new TowpathError(
    "StateCorrupt",
    `${path} is not understood. Remove it: every image then counts as first seen at the next refresh`,
  );
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

async function write(path: string, file: FirstSeenFile): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString("hex")}.tmp`;
  try {
    const handle = await open(temporary, "wx", 0o600);
    try {
      await handle.writeFile(`${JSON.stringify(file)}\n`);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

async function locked<T>(path: string, change: (ensureHeld: () => void) => Promise<T>): Promise<T> {
  let lost: Error | null = null;
  const release = await lockfile.lock(path, {
    ...LOCK_OPTIONS,
    onCompromised: (error) => {
      lost = error;
    },
  });
  try {
    return await change(() => {
      if (lost !== null) throw lost;
    });
  } finally {
    // A lock that was taken over is no longer ours to release.
    if (lost === null) await release();
  }
}
