import { constants } from "node:fs";
import { lstat, open, readdir, type FileHandle } from "node:fs/promises";
import path from "node:path";
import { TowpathError, messageOf } from "../../model/errors.js";
import { isMissing } from "../../model/system-errors.js";

/** One log file: what one command of one attempt wrote, complete. */
export interface LogFile {
  /** A step's id, `setup`, `baseline`, or `gate-<phase>`. */
  readonly step: string;
  readonly attempt: number;
  /** Which command of the attempt: `run`, `verify-1`… */
  readonly what: string;
  readonly path: string;
  readonly bytes: number;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
  readonly modifiedAt: number;
}

const FILE_NAME = /^attempt-(\d+)\.(.+)\.log$/;
const DIRECTORY_NAME = /^[A-Za-z0-9_-]+$/;
const CHUNK_BYTES = 64 * 1024;

function unreadable(file: string, error: unknown): TowpathError {
  return new TowpathError("StorageFailed", `Cannot read ${file}: ${messageOf(error)}`, { cause: error });
}

async function namesIn(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (isMissing(error)) return [];
    throw unreadable(directory, error);
  }
}

async function describeLog(directory: string, step: string, name: string): Promise<LogFile | null> {
  const match = FILE_NAME.exec(name);
  if (match === null) return null;
  const file = path.join(directory, name);
  try {
    const stats = await lstat(file);
    if (!stats.isFile()) return null;
    return {
      step,
      attempt: Number(match[1]),
      what: match[2] ?? "",
      path: file,
      bytes: stats.size,
      createdAt: stats.birthtimeMs,
      modifiedAt: stats.mtimeMs,
    };
  } catch (error) {
    if (isMissing(error)) return null;
    throw unreadable(file, error);
  }
}

// File systems take the time from the kernel's tick (4 ms): a step's commands can share one.
function byTime(a: LogFile, b: LogFile): number {
  return (
    a.createdAt - b.createdAt ||
    a.step.localeCompare(b.step) ||
    a.attempt - b.attempt ||
    a.what.localeCompare(b.what, undefined, { numeric: true })
  );
}

/**
 * The logs below a migration's `logs` directory in the order in which they were begun; none where it does not exist.
 * Symbolic links are left out.
 * @param step only this step's
 * @throws TowpathError `StorageFailed`
 */
export async function listLogs(logsDirectory: string, step?: string): Promise<LogFile[]> {
  const steps = step === undefined ? await namesIn(logsDirectory) : [step];
  const found: (LogFile | null)[] = [];
  for (const name of steps.filter((candidate) => DIRECTORY_NAME.test(candidate))) {
    const directory = path.join(logsDirectory, name);
    const files = await namesIn(directory);
    found.push(...(await Promise.all(files.map((file) => describeLog(directory, name, file)))));
  }
  return found.filter((log) => log !== null).sort(byTime);
}

/**
 * Reads a log from `offset` to its present end, a piece at a time; each is waited for.
 * @returns the offset behind the last byte read
 * @throws TowpathError `StorageFailed`
 */
export async function readLogFrom(
  file: string,
  offset: number,
  onBytes: (bytes: Uint8Array) => Promise<void>,
): Promise<number> {
  const handle = await openLog(file);
  try {
    let position = offset;
    for (;;) {
      const piece = await readPiece(handle, file, position);
      if (piece.length === 0) return position;
      await onBytes(piece);
      position += piece.length;
    }
  } finally {
    await handle.close();
  }
}

/** A link in place of the log would show somebody else's file, and a FIFO would hold its reader for ever. */
async function openLog(file: string): Promise<FileHandle> {
  try {
    return await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    throw unreadable(file, error);
  }
}

async function readPiece(handle: FileHandle, file: string, position: number): Promise<Uint8Array> {
  try {
    const { bytesRead, buffer } = await handle.read(Buffer.alloc(CHUNK_BYTES), 0, CHUNK_BYTES, position);
    return buffer.subarray(0, bytesRead);
  } catch (error) {
    throw unreadable(file, error);
  }
}

/**
 * The last `bytes` of a log as text; the character that the cut goes through is left out.
 * @throws TowpathError `StorageFailed`
 */
export async function readLogTail(file: string, bytes: number): Promise<string> {
  const handle = await openLog(file);
  try {
    const { size } = await handle.stat();
    const start = Math.max(0, size - bytes);
    const { bytesRead, buffer } = await handle.read(Buffer.alloc(size - start), 0, size - start, start);
    const text = buffer.subarray(0, bytesRead).toString("utf8");
    return start === 0 ? text : text.replace(/^\uFFFD+/, "");
  } catch (error) {
    throw unreadable(file, error);
  } finally {
    await handle.close();
  }
}
