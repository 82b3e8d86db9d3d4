import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readlink } from "node:fs/promises";
import { lstatIfPresent } from "./files.js";
import type { Worktree } from "./places.js";

/** A path as git gave it. File names are bytes; latin1 keeps each of them, so such a string can be a map's key. */
export type RawPath = string;

/** Splits NUL-terminated output. */
export function rawPaths(output: Buffer): RawPath[] {
  const text = output.toString("latin1");
  return text === "" ? [] : text.replace(/\0$/, "").split("\0");
}

export function joinRaw(paths: readonly RawPath[]): Buffer {
  return Buffer.from(paths.map((path) => `${path}\0`).join(""), "latin1");
}

/** For people and patterns: bytes that are not UTF-8 read as U+FFFD. */
export function readable(path: RawPath): string {
  return Buffer.from(path, "latin1").toString("utf8");
}

/** Where the path is on disk. */
export function onDisk(worktree: Worktree, path: RawPath): Buffer {
  return Buffer.concat([Buffer.from(`${worktree.path}/`), Buffer.from(path, "latin1")]);
}

export function isWithin(path: RawPath, directory: RawPath): boolean {
  return path.startsWith(`${directory}/`);
}

/**
 * Whether the file's very bytes are those of the blob. Git calls an untouched file modified when its line endings were
 * committed other than its attributes ask for.
 */
export async function hasBlobBytes(worktree: Worktree, path: RawPath, blob: string): Promise<boolean> {
  const file = onDisk(worktree, path);
  const found = lstatIfPresent(file);
  if (found === null) return false;
  const hash = createHash(blob.length === 64 ? "sha256" : "sha1");
  if (found.isSymbolicLink()) {
    const target = await readlink(file, { encoding: "buffer" });
    return hash.update(`blob ${target.length}\0`).update(target).digest("hex") === blob;
  }
  if (!found.isFile()) return false;
  hash.update(`blob ${found.size}\0`);
  for await (const chunk of createReadStream(file)) hash.update(chunk);
  return hash.digest("hex") === blob;
}
