import { randomBytes } from "node:crypto";
import {
  chmod,
  copyFile,
  lstat,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  utimes,
  writeFile,
} from "node:fs/promises";
import type { Stats } from "node:fs";
import { hasCode, isMissing } from "../../model/system-errors.js";

const NO_ACCESS = ["EACCES", "EPERM"] as const;

/** The file's text, or null where there is none. */
export async function readIfPresent(path: string): Promise<string | null> {
  return readFile(path, "utf8").catch(nullIfMissing);
}

/** What is at the path, symbolic links not followed, or null. */
export async function lstatIfPresent(path: string | Buffer): Promise<Stats | null> {
  return lstat(path).catch(nullIfMissing);
}

/**
 * Replaces a file so that readers see the old or the new text. Not synced: behind a checkout of thousands of files that
 * takes seconds, and what is written this way can be made again.
 */
export async function replaceFile(path: string, text: string): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString("hex")}.tmp`;
  await writeFile(temporary, text, { flag: "wx" });
  await rename(temporary, path);
}

/**
 * Copies a git index under another name. Its modification time goes along: git takes files that are as young as the
 * index for possibly changed, and a younger copy would hide a change made in the same second.
 */
export async function copyIndex(from: string, to: string): Promise<void> {
  const temporary = `${to}.${randomBytes(6).toString("hex")}.tmp`;
  const before = await stat(from);
  await copyFile(from, temporary);
  await utimes(temporary, before.atime, before.mtime);
  await rename(temporary, to);
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
  const found = await lstatIfPresent(path);
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
