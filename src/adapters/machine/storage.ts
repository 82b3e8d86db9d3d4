import { randomBytes } from "node:crypto";
import { mkdir, statfs, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { messageOf } from "../../model/errors.js";

export interface StorageProbe {
  /** Null when a file could be written; else why not. */
  readonly problem: string | null;
  readonly freeBytes: number | null;
}

/** Whether a directory takes files (it is made where it is not there), and how much room is left below it. */
export async function probeStorage(directory: string): Promise<StorageProbe> {
  const file = join(directory, `.probe-${randomBytes(4).toString("hex")}`);
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    await writeFile(file, "", { flag: "wx" });
    await unlink(file);
    return { problem: null, freeBytes: await freeBytes(directory) };
  } catch (error) {
    return { problem: messageOf(error), freeBytes: null };
  }
}

/** How much room is left below a directory; null where it cannot be told. */
export async function freeBytes(directory: string): Promise<number | null> {
  try {
    const { bavail, bsize } = await statfs(directory);
    return bavail * bsize;
  } catch (error) {
    if (error instanceof Error && "code" in error) return null;
    throw error;
  }
}
