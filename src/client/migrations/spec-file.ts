import { readFile, stat } from "node:fs/promises";
import path from "node:path";
import { TowpathError, messageOf } from "../../model/errors.js";
import { isMissing } from "../../model/system-errors.js";

export const SPEC_FILE_NAME = "towpath.yaml";
/** A spec travels in the workflow's input. */
const MAX_BYTES = 256 * 1024;

export interface SpecFile {
  /** As the user may write it, for messages. */
  readonly shown: string;
  readonly fileName: string;
  readonly text: string;
}

/** A path as the user sees it: relative where it lies below the working directory. */
function shownPath(file: string, cwd: string): string {
  const relative = path.relative(cwd, file);
  return relative === "" || relative.startsWith("..") ? file : relative;
}

/**
 * Reads a spec's text.
 * @returns null where there is no such file
 * @throws TowpathError `Usage` for anything that is not a readable text of at most 256 KiB
 */
export async function readSpecFile(file: string, cwd: string): Promise<SpecFile | null> {
  const shown = shownPath(file, cwd);
  try {
    const { size } = await stat(file);
    if (size > MAX_BYTES) {
      throw new TowpathError("Usage", `${shown} has ${size} bytes; a spec has at most ${MAX_BYTES}.`);
    }
    return { shown, fileName: path.basename(file), text: await readFile(file, "utf8") };
  } catch (error) {
    if (isMissing(error)) return null;
    if (error instanceof TowpathError) throw error;
    throw new TowpathError("Usage", `Cannot read the spec ${shown}: ${messageOf(error)}`, { cause: error });
  }
}

/**
 * Reads the text of a spec that must be there.
 * @throws TowpathError `Usage`
 */
export async function requireSpecFile(file: string, cwd: string): Promise<SpecFile> {
  const found = await readSpecFile(file, cwd);
  if (found !== null) return found;
  throw new TowpathError("Usage", `There is no spec at ${shownPath(file, cwd)}: name one that exists.`);
}
