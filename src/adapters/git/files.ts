import { randomBytes } from "node:crypto";
import {
  closeSync,
  constants,
  copyFileSync,
  fstatSync,
  lstatSync,
  openSync,
  readFileSync,
  renameSync,
  type Stats,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { chmod, readdir, rm } from "node:fs/promises";
import { hasCode, isMissing } from "../../model/system-errors.js";

// What reads or replaces one small file is synchronous: the thread pool takes ten times as long to answer, and a step
// asks dozens of times.

const NO_ACCESS = ["EACCES", "EPERM"] as const;

/** The file's text, or null where there is no file. */
export function readIfPresent(path: string): string | null {
  return bytesIfPresent(path)?.toString("utf8") ?? null;
}

/** What the file holds, or null where there is no file. */
export function bytesIfPresent(path: string | Buffer): Buffer | null {
  let file: number;
  try {
    file = openAnything(path);
  } catch (error) {
    return nullIfMissing(error);
  }
  try {
    return fstatSync(file).isFile() ? readFileSync(file) : null;
  } finally {
    closeSync(file);
  }
}

/** Opens it for reading. A FIFO that a step put in a file's place would otherwise hold the whole worker for ever. */
export function openAnything(path: string | Buffer): number {
  return openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
}

/** What is at the path, symbolic links not followed, or null. */
export function lstatIfPresent(path: string | Buffer): Stats | null {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) ?? null;
  } catch (error) {
    return nullIfMissing(error);
  }
}

/**
 * Replaces a file so that readers see the old or the new text. Not synced: behind a checkout of thousands of files that
 * takes seconds, and what is written this way can be made again.
 */
export function replaceFile(path: string, text: string): void {
  const temporary = `${path}.${randomBytes(6).toString("hex")}.tmp`;
  writeFileSync(temporary, text, { flag: "wx" });
  renameSync(temporary, path);
}

/**
 * Copies a git index under another name. Its modification time goes along: git takes files that are as young as the
 * index for possibly changed, and a younger copy would hide a change made in the same second.
 */
export function copyIndex(from: string, to: string): void {
  const temporary = `${to}.${randomBytes(6).toString("hex")}.tmp`;
  const before = statSync(from);
  copyFileSync(from, temporary);
  utimesSync(temporary, before.atime, before.mtime);
  renameSync(temporary, to);
}

/** Removes whatever is at the path, read-only directories included. */
export async function removeTree(path: string | Buffer): Promise<void> {
  try {
    await rm(path, { recursive: true, force: true });
  } catch (error) {
    if (!hasCode(error, ...NO_ACCESS)) throw error;
    await makeWritable(path);
    await rm(path, { recursive: true, force: true });
  }
}

/** Gives the owner every right on the directories at and below `path`; links are not followed. */
export async function makeWritable(path: string | Buffer): Promise<void> {
  const found = lstatIfPresent(path);
  if (!found?.isDirectory()) return;
  if ((found.mode & 0o700) !== 0o700) await chmod(path, (found.mode & 0o777) | 0o700);
  for (const name of await readdir(path, { encoding: "buffer" })) {
    await makeWritable(Buffer.concat([Buffer.from(path), Buffer.from("/"), name]));
  }
}

function nullIfMissing(error: unknown): null {
  if (isMissing(error)) return null;
  throw error;
}
