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
    const { bavail, bsize } = await statfs(directory);
    return { problem: null, freeBytes: bavail * bsize };
  } catch (error) {
    return { problem: messageOf(error), freeBytes: null };
  }
}
