import { type Dirent, lstatSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { messageOf, TowpathError } from "../../model/errors.js";
import { FOREIGN_DIRECTORIES } from "../../model/foreign-directories.js";
import { projectFiles, type ProjectFile } from "../git/project-files.js";
import { openRepository } from "../git/repository.js";
import type { SignatureMode } from "../../model/requirements/documents.js";
import { storageFailed } from "../store/files.js";
import { hasCode } from "../../model/system-errors.js";

/** The files that make up a project's code; paths are bytes, as latin1. */
export interface CodeFiles {
  readonly mode: SignatureMode;
  readonly files: readonly ProjectFile[];
}

/** Where a file of the project is on disk. */
export function placeOf(project: string, path: string): Buffer {
  return Buffer.concat([Buffer.from(`${project}/`), Buffer.from(path, "latin1")]);
}

/**
 * Lists the code of a project: with git what is tracked, or untracked and not ignored; else, and where git refuses or lists nothing, every
 * file. Towpath's own directory, git's, and those of dependencies and build products are left out.
 * @throws TowpathError `StorageFailed`, `GitFailed`
 */
export async function listCode(project: string, signal: AbortSignal | undefined): Promise<CodeFiles> {
  const known = (await gitFiles(project, signal))?.filter(({ path }) => !isForeign(path)) ?? [];
  if (known.length > 0) return { mode: "git", files: realFiles(project, known) };
  return { mode: "files", files: await walk(project, signal) };
}

async function gitFiles(project: string, signal: AbortSignal | undefined): Promise<ProjectFile[] | null> {
  try {
    return await projectFiles(await openRepository(project, signal), signal);
  } catch (error) {
    if (!(error instanceof TowpathError)) throw error;
    // No repository, one that git refuses to use (it belongs to somebody else), or no git at all.
    if (error.type === "NotARepository" || error.message.startsWith("git was not found")) return null;
    throw error;
  }
}

function isForeign(path: string): boolean {
  const parts = path.split("/");
  const name = parts.pop() ?? "";
  return name === ".git" || name === ".towpath" || parts.some((part) => FOREIGN_DIRECTORIES.has(part));
}

/** Leaves out what lies behind a link: git knows files by their path, and the disk may have a link in it by now. */
function realFiles(project: string, files: readonly ProjectFile[]): ProjectFile[] {
  const known = new Map<string, boolean>([["", true]]);
  const isReal = (directory: string): boolean => {
    const seen = known.get(directory);
    if (seen !== undefined) return seen;
    const parent = directory.slice(0, Math.max(directory.lastIndexOf("/"), 0));
    const real = isReal(parent) && isDirectory(placeOf(project, directory));
    known.set(directory, real);
    return real;
  };
  return files.filter(({ path }) => isReal(path.slice(0, Math.max(path.lastIndexOf("/"), 0))));
}

function isDirectory(path: Buffer): boolean {
  try {
    return lstatSync(path).isDirectory();
  } catch (error) {
    if (hasCode(error, "ENOENT", "ENOTDIR", "EACCES", "ELOOP", "ENAMETOOLONG")) return false;
    throw storageFailed("look at", path.toString("utf8"), error);
  }
}

async function walk(project: string, signal: AbortSignal | undefined): Promise<ProjectFile[]> {
  const files: ProjectFile[] = [];
  const open = [""];
  for (let directory = open.pop(); directory !== undefined; directory = open.pop()) {
    signal?.throwIfAborted();
    for (const entry of await entriesOf(project, directory)) {
      const name = entry.name.toString("latin1");
      const path = directory === "" ? name : `${directory}/${name}`;
      if (!entry.isDirectory()) files.push({ path, commit: null });
      else if (!FOREIGN_DIRECTORIES.has(name)) open.push(path);
    }
  }
  return files.filter(({ path }) => !isForeign(path));
}

async function entriesOf(project: string, directory: string): Promise<Dirent<Buffer>[]> {
  const path = placeOf(project, directory);
  try {
    return await readdir(path, { withFileTypes: true, encoding: "buffer" });
  } catch (error) {
    // Gone meanwhile, or closed to us: there is nothing of it to see.
    if (directory !== "" && hasCode(error, "ENOENT", "ENOTDIR", "EACCES", "EPERM")) return [];
    throw new TowpathError("StorageFailed", `Cannot list ${path.toString("utf8")}: ${messageOf(error)}`, {
      cause: error,
    });
  }
}
