import { constants, type Stats } from "node:fs";
import { type FileHandle, open, realpath } from "node:fs/promises";
import { join, relative } from "node:path";
import { messageOf, TowpathError } from "../../model/errors.js";
import { CONVENTIONAL_NAMES, isBlank, MAX_DOCUMENT_BYTES } from "../../model/requirements/documents.js";
import { kindAt } from "../store/files.js";
import { hasCode } from "../../model/system-errors.js";

/** Why a file cannot be a requirements document; stands in the error's details. */
export type InvalidReason = "missing" | "directory" | "no-file" | "unreadable" | "empty" | "too-large";

function invalid(path: string, reason: InvalidReason, message: string, cause?: unknown): TowpathError {
  return new TowpathError("RequirementsInvalid", message, { cause, details: { path, reason } });
}

function notOpened(path: string, error: unknown): TowpathError {
  if (hasCode(error, "ENOENT", "ENOTDIR")) {
    return invalid(path, "missing", `There is no requirements document at ${path}: name a file that exists.`);
  }
  if (hasCode(error, "ENXIO", "ENODEV")) return noFile(path);
  return invalid(
    path,
    "unreadable",
    `Cannot read the requirements document ${path}: ${messageOf(error)}`,
    error,
  );
}

function noFile(path: string): TowpathError {
  return invalid(path, "no-file", `${path} is no regular file: give the requirements as a file.`);
}

/**
 * Reads a requirements document that somebody names, links followed, byte for byte.
 * @throws TowpathError `RequirementsInvalid`, with the reason in its details
 */
export async function readDocumentFile(path: string): Promise<Buffer> {
  let file: FileHandle;
  try {
    // Without O_NONBLOCK a FIFO would hold the reader until somebody writes.
    file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    throw notOpened(path, error);
  }
  try {
    return await readOpened(path, file);
  } catch (error) {
    throw error instanceof TowpathError ? error : notOpened(path, error);
  } finally {
    await file.close();
  }
}

async function readOpened(path: string, file: FileHandle): Promise<Buffer> {
  requireFile(path, await file.stat());
  const bytes = await file.readFile();
  // It may have grown since.
  requireSize(path, bytes.length);
  if (isBlank(bytes)) {
    throw invalid(path, "empty", `The requirements document ${path} is empty: write down what shall hold.`);
  }
  return bytes;
}

function requireFile(path: string, stats: Stats): void {
  if (stats.isDirectory()) {
    throw invalid(path, "directory", `${path} is a directory: name the requirements document in it.`);
  }
  if (!stats.isFile()) throw noFile(path);
  requireSize(path, stats.size);
}

function requireSize(path: string, size: number): void {
  if (size <= MAX_DOCUMENT_BYTES) return;
  throw invalid(
    path,
    "too-large",
    `The requirements document ${path} has ${size} bytes; at most ${MAX_DOCUMENT_BYTES} are read. Say it shorter.`,
  );
}

/** What was looked for under conventional names. */
export interface ConventionalDocument {
  readonly found: { readonly name: string; readonly bytes: Buffer } | null;
  /** Why files of such names were passed over. */
  readonly notices: readonly string[];
}

/**
 * The requirements document that lies in a project under a conventional name, the first of them that can be one. Links
 * are followed inside the project only.
 */
export async function findConventional(project: string): Promise<ConventionalDocument> {
  const notices: string[] = [];
  for (const name of CONVENTIONAL_NAMES) {
    const path = join(project, name);
    if (!(await isSomething(path))) continue;
    try {
      await requireInside(project, path);
      return { found: { name, bytes: await readDocumentFile(path) }, notices };
    } catch (error) {
      if (!(error instanceof TowpathError) || error.type !== "RequirementsInvalid") throw error;
      notices.push(`${name} is not used: ${error.message}`);
    }
  }
  return { found: null, notices };
}

async function isSomething(path: string): Promise<boolean> {
  try {
    return kindAt(path) !== "nothing";
  } catch (error) {
    // `docs` is a file, or may not be looked into.
    if (error instanceof TowpathError && hasCode(error.cause, "ENOTDIR", "EACCES", "ELOOP")) return false;
    throw error;
  }
}

async function requireInside(project: string, path: string): Promise<void> {
  let inside: string;
  try {
    inside = relative(await realpath(project), await realpath(path));
  } catch (error) {
    throw notOpened(path, error);
  }
  if (inside !== ".." && !inside.startsWith("../")) return;
  throw invalid(path, "unreadable", `${path} is a link that leads out of the project.`);
}
