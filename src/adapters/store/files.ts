import { createHash, randomBytes } from "node:crypto";
import {
  type BigIntStats,
  closeSync,
  constants,
  fstatSync,
  fsync,
  linkSync,
  lstatSync,
  openSync,
  readFile,
  readFileSync,
  renameSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { readdir } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { messageOf, TowpathError } from "../../model/errors.js";
import { hasCode } from "../../model/system-errors.js";

const PRIVATE_FILE = 0o600;

const REMEDIES: readonly (readonly [codes: readonly string[], remedy: string])[] = [
  [["ENOSPC", "EDQUOT"], "There is no space left: free some and try again"],
  [["EACCES", "EPERM"], "Check who owns it and its permissions"],
  [["EROFS"], "The file system is mounted read-only: remount it, or set TOWPATH_DATA_DIR elsewhere"],
  [["EMFILE", "ENFILE"], "Too many files are open: raise the limit (ulimit -n)"],
  [
    ["ELOOP"],
    "It is a symbolic link, which Towpath does not follow for its state: put the file itself there",
  ],
  [["ENOTDIR", "EISDIR"], "Something of another kind lies there: move it away"],
];

/** The error for a disk that did not do what it should; nothing that was stored before is changed. */
export function storageFailed(action: string, path: string, error: unknown): TowpathError {
  const remedy = REMEDIES.find(([codes]) => hasCode(error, ...codes))?.[1] ?? "Check the disk";
  return new TowpathError("StorageFailed", `Cannot ${action} ${path}: ${messageOf(error)}. ${remedy}`, {
    cause: error,
    details: { path },
  });
}

/** sha256 in lower-case hex. */
export function sha256(data: string | Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}

/** Tells one state of a file from another without reading it. */
export interface FileIdentity {
  readonly inode: bigint;
  readonly modified: bigint;
  readonly size: bigint;
}

export function identityOf(stats: BigIntStats): FileIdentity {
  return { inode: stats.ino, modified: stats.mtimeNs, size: stats.size };
}

export function sameIdentity(one: FileIdentity, other: FileIdentity): boolean {
  return one.inode === other.inode && one.modified === other.modified && one.size === other.size;
}

// What only touches the file system's cache is called synchronously here: the thread pool takes ten times as long to
// answer, and a record consists of two dozen such calls. Only making durable waits for the disk, and that is awaited.

const makeDurable = promisify(fsync);
const readWhole: (file: number) => Promise<Buffer> = promisify(readFile);

/** Larger files are left to the thread pool. */
const READ_AT_ONCE_BYTES = 256 * 1024;

/** The identity of what lies at a path, links not followed; null where there is nothing. */
export function identityAt(path: string): FileIdentity | null {
  try {
    const stats = lstatSync(path, { bigint: true, throwIfNoEntry: false });
    return stats === undefined ? null : identityOf(stats);
  } catch (error) {
    throw storageFailed("look at", path, error);
  }
}

/** A file's content with the identity that it was read from. */
export interface ReadFile {
  readonly bytes: Buffer;
  readonly identity: FileIdentity;
}

/**
 * Reads a regular file, links not followed; null where there is none.
 * @throws TowpathError `StorageFailed`
 */
export async function readRegularFile(path: string): Promise<ReadFile | null> {
  let file: number;
  try {
    // Without O_NONBLOCK a FIFO in the file's place would hold the reader for ever.
    file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (hasCode(error, "ENOENT")) return null;
    throw storageFailed("read", path, error);
  }
  try {
    const stats = fstatSync(file, { bigint: true });
    if (!stats.isFile()) throw new Error("it is no regular file");
    const bytes = stats.size <= READ_AT_ONCE_BYTES ? readFileSync(file) : await readWhole(file);
    return { bytes, identity: identityOf(stats) };
  } catch (error) {
    throw storageFailed("read", path, error);
  } finally {
    closeSync(file);
  }
}

/** Like {@link readRegularFile}, as UTF-8 text. */
export async function readText(path: string): Promise<string | null> {
  return (await readRegularFile(path))?.bytes.toString("utf8") ?? null;
}

/** A durable file under a name of its own, about to be linked or renamed to where it belongs. */
export interface TemporaryFile {
  readonly path: string;
  readonly identity: FileIdentity;
}

const HOST = sha256(hostname()).slice(0, 8);

/** `.tmp-<host>-<pid>-<random>`: tells whose it was; never used twice. */
export function temporaryName(): string {
  return `.tmp-${HOST}-${process.pid}-${randomBytes(8).toString("hex")}`;
}

/** A path for a new temporary file in a directory. */
export function temporaryPath(directory: string): string {
  return join(directory, temporaryName());
}

/**
 * Writes a new temporary file into a directory and makes it durable. On failure nothing stays behind.
 * @throws TowpathError `StorageFailed` naming `target`, the file that it is to become
 */
export async function writeTemporary(
  directory: string,
  content: string | Uint8Array,
  target: string,
  mode: number = PRIVATE_FILE,
): Promise<TemporaryFile> {
  const path = temporaryPath(directory);
  try {
    const identity = await writeDurably(path, content, mode);
    return { path, identity };
  } catch (error) {
    removeFile(path);
    throw storageFailed("write", target, error);
  }
}

async function writeDurably(path: string, content: string | Uint8Array, mode: number): Promise<FileIdentity> {
  const file = openSync(path, "wx", mode);
  let isOpen = true;
  try {
    writeFileSync(file, content, "utf8");
    await makeDurable(file);
    const identity = identityOf(fstatSync(file, { bigint: true }));
    isOpen = false;
    // Some file systems say only now that there was no room.
    closeSync(file);
    return identity;
  } finally {
    if (isOpen) closeQuietly(file);
  }
}

/** Behind an error that is being reported already. */
function closeQuietly(file: number): void {
  try {
    closeSync(file);
  } catch (error) {
    if (!hasCode(error, "ENOSPC", "EDQUOT", "EIO")) throw error;
  }
}

/**
 * Gives a temporary file its name unless the name is taken: the compare-and-set of the chain.
 * @returns `taken` when somebody else was first, `swept` when the temporary file is gone
 */
export function linkNew(temporary: string, path: string): "linked" | "taken" | "swept" {
  try {
    linkSync(temporary, path);
    return "linked";
  } catch (error) {
    if (hasCode(error, "EEXIST")) return "taken";
    if (hasCode(error, "ENOENT")) return "swept";
    throw storageFailed("write", path, error);
  }
}

/**
 * Puts a temporary file in a file's place.
 * @throws TowpathError `StorageFailed`; the temporary file is gone then
 */
export function renameInto(temporary: string, path: string): void {
  try {
    renameSync(temporary, path);
  } catch (error) {
    removeFile(temporary);
    throw storageFailed("write", path, error);
  }
}

/** Removes a file; that there is none is fine. */
export function removeFile(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if (!hasCode(error, "ENOENT")) throw storageFailed("remove", path, error);
  }
}

/** Makes what was linked, renamed or removed in a directory durable. */
export async function syncDirectory(path: string): Promise<void> {
  try {
    const directory = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      await makeDurable(directory);
    } finally {
      closeSync(directory);
    }
  } catch (error) {
    throw storageFailed("write to", path, error);
  }
}

/** The names in a directory; null where there is none. */
export async function namesIn(directory: string): Promise<string[] | null> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (hasCode(error, "ENOENT")) return null;
    throw storageFailed("list", directory, error);
  }
}

/** What lies at a path, links not followed. */
export function kindAt(path: string): "directory" | "other" | "nothing" {
  try {
    const stats = lstatSync(path, { throwIfNoEntry: false });
    if (stats === undefined) return "nothing";
    return stats.isDirectory() ? "directory" : "other";
  } catch (error) {
    throw storageFailed("look at", path, error);
  }
}

/** How long a temporary file of another machine is left alone: far longer than any write takes. */
const ABANDONED_AFTER_MS = 10 * 60_000;

/** Whether a name is a temporary one whose writer is dead, or so old that nobody can be writing it any more. */
export function isAbandoned(directory: string, name: string, now: number): boolean {
  const match = /^\.(?:tmp|new)-([0-9a-f]{8})-(\d+)-[0-9a-f]+$/u.exec(name);
  if (match === null) return false;
  if (match[1] === HOST && !isRunning(Number(match[2]))) return true;
  const identity = identityAt(join(directory, name));
  return identity !== null && now - Number(identity.modified / 1_000_000n) > ABANDONED_AFTER_MS;
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    if (hasCode(error, "ESRCH")) return false;
    return true;
  }
}
