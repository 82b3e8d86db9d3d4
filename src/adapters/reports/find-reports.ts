import type { Stats } from "node:fs";
import { lstat, readdir, realpath } from "node:fs/promises";
import path from "node:path";
import picomatch from "picomatch";
import { TowpathError } from "../../model/errors.js";
import { isMissing } from "../../model/system-errors.js";

/** More files than this are no test report. */
const MAX_FILES = 20_000;

/**
 * Finds the files of a report below `directory`: `pattern` is the path of a file, of a directory (every `.xml` below it, as
 * Surefire and Gradle write them), or a glob. Paths are relative to `directory`, with slashes, sorted.
 *
 * @throws TowpathError `ArtefactInvalid` when the pattern leaves the directory or finds nothing
 */
export async function findReports(directory: string, pattern: string): Promise<string[]> {
  const relative = path.posix.normalize(pattern);
  if (path.isAbsolute(pattern) || relative.split("/").includes(".."))
    throw new TowpathError(
      "ArtefactInvalid",
      `The report ${pattern} has to be a path or glob within the output directory: write it to $TOWPATH_OUT.`,
    );
  const files = await matching(directory, relative);
  if (files.length === 0)
    throw new TowpathError(
      "ArtefactInvalid",
      `No test report at ${pattern} in ${directory}: check that the command writes it to $TOWPATH_OUT.`,
    );
  return files.sort();
}

async function matching(directory: string, relative: string): Promise<string[]> {
  const found = await existing(path.join(directory, relative));
  if (found === null) return filesBelow(directory, "", picomatch(relative, { dot: true }));
  if (!found.isDirectory()) return [relative];
  const below = relative === "." ? "" : relative.replace(/\/$/, "");
  return filesBelow(directory, below, (file) => file.endsWith(".xml"));
}

async function existing(file: string): Promise<Stats | null> {
  try {
    return await lstat(file);
  } catch (error) {
    if (isMissing(error)) return null;
    throw new TowpathError("StorageFailed", `Cannot look at the test report ${file}.`, { cause: error });
  }
}

/** Symbolic links to directories are not entered. */
async function filesBelow(
  root: string,
  below: string,
  wanted: (file: string) => boolean,
  found: string[] = [],
): Promise<string[]> {
  for (const entry of await list(path.join(root, below))) {
    const file = path.posix.join(below, entry.name);
    if (entry.isDirectory()) await filesBelow(root, file, wanted, found);
    else if (wanted(file)) found.push(file);
    if (found.length > MAX_FILES)
      throw new TowpathError(
        "ArtefactInvalid",
        `More than ${MAX_FILES} files match as test reports in ${root}.`,
      );
  }
  return found;
}

async function list(directory: string) {
  try {
    return await readdir(directory, { withFileTypes: true });
  } catch (error) {
    if (isMissing(error)) return [];
    throw new TowpathError("StorageFailed", `Cannot list ${directory} for test reports.`, { cause: error });
  }
}

/**
 * The real path of a file below `directory`.
 *
 * @throws TowpathError `ArtefactInvalid` when symbolic links lead out of the directory, or nowhere
 */
export async function resolveWithin(directory: string, file: string): Promise<string> {
  try {
    const root = await realpath(directory);
    const real = await realpath(path.join(root, file));
    if (real.startsWith(root + path.sep)) return real;
  } catch (error) {
    if (!isMissing(error))
      throw new TowpathError("StorageFailed", `Cannot resolve the test report ${file}.`, { cause: error });
  }
  throw new TowpathError(
    "ArtefactInvalid",
    `The test report ${file} is a symbolic link that leads out of ${directory}, or nowhere: write the report itself.`,
  );
}
