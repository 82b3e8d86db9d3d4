import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { lstat, mkdir, open, readdir, rename, rm, rmdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { messageOf, TowpathError } from "../../model/errors.js";
import { RunState } from "../../model/containers/run-state.js";
import { hasCode } from "../../model/system-errors.js";

/** The folder that tools of this kind keep in a project; git never sees ours. */
const FOLDER = ".towpath";
const MAX_BYTES = 64 * 1024;

/** Where a project's run state is: `<project>/.towpath/docker/run.json`. */
export function runStatePath(project: string): string {
  return join(project, FOLDER, "docker", "run.json");
}

/**
 * Writes which container runs for a project, whole or not at all. It is a hint for people and other tools: nothing
 * depends on it, so that a project that cannot be written is left alone.
 */
export async function writeRunState(project: string, state: RunState): Promise<void> {
  const path = runStatePath(project);
  const temporary = `${path}.${randomBytes(6).toString("hex")}.tmp`;
  try {
    await makeFolder(project);
    await writeFile(temporary, `${JSON.stringify(state)}\n`, { flag: "wx", mode: 0o600 });
    await rename(temporary, path);
  } catch (error) {
    await removeQuietly(temporary);
    if (!isHarmless(error)) throw failed("write", path, error);
  }
}

/** What a project's run state says; null where there is none, or something that is none. A link is none. */
export async function readRunState(project: string): Promise<RunState | null> {
  try {
    if (!(await isOwnFolder(project))) return null;
    const file = await open(
      runStatePath(project),
      constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK,
    );
    try {
      const stats = await file.stat();
      if (!stats.isFile() || stats.size > MAX_BYTES) return null;
      const parsed = RunState.safeParse(JSON.parse(await file.readFile("utf8")));
      return parsed.success ? parsed.data : null;
    } finally {
      await file.close();
    }
  } catch (error) {
    if (isHarmless(error) || error instanceof SyntaxError) return null;
    throw failed("read", runStatePath(project), error);
  }
}

/**
 * Removes a project's run state, and the folders with it that hold nothing else.
 * @param container only where it names this one; absent: whatever it says
 */
export async function clearRunState(project: string, container?: string): Promise<void> {
  try {
    if (!(await isOwnFolder(project))) return;
    if (container !== undefined && (await readRunState(project))?.container !== container) return;
    await rm(runStatePath(project), { force: true });
    await removeEmptyFolders(project);
  } catch (error) {
    if (!isHarmless(error)) throw failed("remove", runStatePath(project), error);
  }
}

async function makeFolder(project: string): Promise<void> {
  const folder = join(project, FOLDER);
  await mkdir(folder, { recursive: true });
  await writeIgnore(folder);
  await mkdir(dirname(runStatePath(project)), { recursive: true });
  if (!(await isOwnFolder(project))) throw Object.assign(new Error("it is a link"), { code: "ELOOP" });
}

/** Keeps the folder out of the user's `git status`. */
async function writeIgnore(folder: string): Promise<void> {
  try {
    await writeFile(join(folder, ".gitignore"), "*\n", { flag: "wx" });
  } catch (error) {
    if (!hasCode(error, "EEXIST")) throw error;
  }
}

/** A link in the place of one of the folders would lead into somebody else's project. */
async function isOwnFolder(project: string): Promise<boolean> {
  for (const path of [join(project, FOLDER), dirname(runStatePath(project))]) {
    if (!(await lstat(path)).isDirectory()) return false;
  }
  return true;
}

async function removeEmptyFolders(project: string): Promise<void> {
  const folder = join(project, FOLDER);
  await rmdir(dirname(runStatePath(project)));
  const left = await readdir(folder);
  if (left.length !== 1 || left[0] !== ".gitignore") return;
  await rm(join(folder, ".gitignore"), { force: true });
  try {
    await rmdir(folder);
  } catch (error) {
    if (!hasCode(error, "ENOTEMPTY")) throw error;
    // Somebody began to use it just now.
    await writeIgnore(folder);
  }
}

async function removeQuietly(path: string): Promise<void> {
  try {
    await rm(path, { force: true });
  } catch (error) {
    if (!isHarmless(error)) throw failed("remove", path, error);
  }
}

/** Not there, not ours to write, something else in its place. */
function isHarmless(error: unknown): boolean {
  return hasCode(
    error,
    "ENOENT",
    "ENOTDIR",
    "ENOTEMPTY",
    "EEXIST",
    "EISDIR",
    "ELOOP",
    "EACCES",
    "EPERM",
    "EROFS",
    "ENXIO",
  );
}

function failed(action: string, path: string, cause: unknown): TowpathError {
  return new TowpathError("StorageFailed", `Cannot ${action} ${path}: ${messageOf(cause)}`, { cause });
}
