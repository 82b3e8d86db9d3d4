import { type FileHandle, lstat, open } from "node:fs/promises";
import { constants } from "node:fs";
import { join } from "node:path";
import { TowpathError, messageOf } from "../../model/errors.js";
import type { SkippedFiles } from "../../model/survey/facts.js";

/** Nobody wrote a larger file by hand; it is counted and not read. */
export const MAX_FILE_BYTES = 1024 * 1024;
/** A file with a NUL byte this near its start is no text; the same rule as git's. */
const BINARY_WINDOW = 8_000;

export type ReadText =
  | { readonly kind: "text"; readonly text: string; readonly bytes: number }
  | { readonly kind: "skipped"; readonly why: keyof SkippedFiles; readonly bytes: number };

function skipped(why: keyof SkippedFiles, bytes = 0): ReadText {
  return { kind: "skipped", why, bytes };
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}

/** What is wrong with this one file; anything else is a fault of the machine. */
function skippedFor(path: string, error: unknown): ReadText {
  const code = codeOf(error);
  if (code === "ENOENT" || code === "ENOTDIR") return skipped("missing");
  if (code === "ELOOP") return skipped("symlinks");
  if (code === "EACCES" || code === "EPERM" || code === "ENAMETOOLONG" || code === "EINVAL")
    return skipped("unreadable");
  throw new TowpathError("StorageFailed", `Cannot read ${path}: ${messageOf(error)}`, { cause: error });
}

async function readOpen(file: FileHandle): Promise<ReadText> {
  const stats = await file.stat();
  if (!stats.isFile()) return skipped("unreadable");
  if (stats.size > MAX_FILE_BYTES) return skipped("tooLarge", stats.size);
  const buffer = await file.readFile();
  if (buffer.subarray(0, BINARY_WINDOW).includes(0)) return skipped("binary", buffer.length);
  return { kind: "text", text: buffer.toString("utf8"), bytes: buffer.length };
}

/**
 * Reads a file of the project as text, unless it is a symbolic link, binary, too large, or gone.
 * @throws TowpathError `StorageFailed`
 */
export async function readText(root: string, path: string): Promise<ReadText> {
  const full = join(root, path);
  try {
    // Without O_NONBLOCK, opening a FIFO would wait for its writer.
    const file = await open(full, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      return await readOpen(file);
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof TowpathError) throw error;
    return skippedFor(full, error);
  }
}

/** The size of a file that need not be read; links are not followed. */
export async function measureFile(
  root: string,
  path: string,
): Promise<ReadText | { readonly kind: "measured"; readonly bytes: number }> {
  const full = join(root, path);
  try {
    const stats = await lstat(full);
    if (stats.isSymbolicLink()) return skipped("symlinks");
    return stats.isFile() ? { kind: "measured", bytes: stats.size } : skipped("unreadable");
  } catch (error) {
    return skippedFor(full, error);
  }
}
