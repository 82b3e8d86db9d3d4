import { mkdir } from "node:fs/promises";
import { kindAt, storageFailed } from "../store/files.js";
import { hasCode } from "../../model/system-errors.js";

/** Whether a directory, and no link to one, lies at a path. */
export async function isDirectoryThere(path: string): Promise<boolean> {
  return kindAt(path) === "directory";
}

/**
 * Makes a directory unless it is there.
 * @throws TowpathError `StorageFailed`, also where a link or a file is in its place
 */
export async function ensureDirectory(path: string, mode: number): Promise<void> {
  if (await isDirectoryThere(path)) return;
  try {
    await mkdir(path, { mode });
  } catch (error) {
    if (hasCode(error, "EEXIST") && (await isDirectoryThere(path))) return;
    throw storageFailed("make the directory", path, error);
  }
}
