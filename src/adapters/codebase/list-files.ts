import type { Dirent } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { TowpathError, messageOf } from "../../model/errors.js";
import { FOREIGN_DIRECTORIES } from "../../model/foreign-directories.js";

async function entriesOf(directory: string, isRoot: boolean): Promise<Dirent[]> {
  try {
    return await readdir(directory, { withFileTypes: true });
  } catch (error) {
    if (!isRoot && isGoneOrClosed(error)) return [];
    throw new TowpathError("StorageFailed", `Cannot list ${directory}: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

function isGoneOrClosed(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return code === "ENOENT" || code === "EACCES" || code === "EPERM" || code === "ENOTDIR";
}

/**
 * Every file and symbolic link below a directory, by its path relative to it; links are not followed. Directories of
 * dependencies and build products are left out. For projects that git does not list.
 * @throws TowpathError `StorageFailed` where the directory itself cannot be read
 */
export async function* walkFiles(root: string, signal: AbortSignal | undefined): AsyncGenerator<string> {
  const open = [""];
  for (let directory = open.pop(); directory !== undefined; directory = open.pop()) {
    signal?.throwIfAborted();
    for (const entry of await entriesOf(join(root, directory), directory === "")) {
      const path = directory === "" ? entry.name : `${directory}/${entry.name}`;
      if (!entry.isDirectory()) yield path;
      else if (!FOREIGN_DIRECTORIES.has(entry.name)) open.push(path);
    }
  }
}
