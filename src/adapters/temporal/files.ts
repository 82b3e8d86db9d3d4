import { randomBytes } from "node:crypto";
import { mkdir, open, readFile, rename, unlink } from "node:fs/promises";
import { dirname } from "node:path";
import type { z } from "zod";
import { TowpathError, messageOf } from "../../model/errors.js";
import { hasCode } from "../../model/system-errors.js";

/** Runs a file operation; what fails is told with its path. */
export async function storing<T>(path: string, operation: () => Promise<T>): Promise<T> {
  try {
    return await operation();
  } catch (error) {
    if (error instanceof TowpathError) throw error;
    throw new TowpathError(
      "StorageFailed",
      `Cannot write ${path}: ${messageOf(error)}. Check that the directory exists, is yours and has room.`,
      { cause: error, details: { path } },
    );
  }
}

/** Makes a directory that only its owner may enter. */
export async function makePrivateDirectory(path: string): Promise<void> {
  await storing(path, () => mkdir(path, { recursive: true, mode: 0o700 }));
}

/** Replaces a file in one step, readable by its owner alone. Readers see the old or the new content, never a part. */
export async function writePrivateFile(path: string, text: string): Promise<void> {
  await makePrivateDirectory(dirname(path));
  const temporary = `${path}.${process.pid}.${randomBytes(4).toString("hex")}.tmp`;
  await storing(path, async () => {
    try {
      const file = await open(temporary, "wx", 0o600);
      try {
        await file.writeFile(text);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(temporary, path);
    } catch (error) {
      await removeFile(temporary);
      throw error;
    }
  });
}

/** Removes a file; one that is not there is fine. */
export async function removeFile(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (!hasCode(error, "ENOENT")) throw error;
  }
}

/**
 * The text of a file, or null where there is none.
 * @throws TowpathError `StorageFailed` where there is one that cannot be read
 */
export async function readTextIfPresent(path: string): Promise<string | null> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (hasCode(error, "ENOENT") || hasCode(error, "ENOTDIR")) return null;
    throw new TowpathError("StorageFailed", `Cannot read ${path}: ${messageOf(error)}.`, {
      cause: error,
      details: { path },
    });
  }
}

/** A hint kept in a JSON file, or null where there is none or where it is not readable as one. */
export async function readHint<T>(path: string, schema: z.ZodType<T>): Promise<T | null> {
  const text = await readTextIfPresent(path);
  if (text === null) return null;
  const parsed = schema.safeParse(parseJson(text));
  return parsed.success ? parsed.data : null;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
