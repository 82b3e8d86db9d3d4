import { mkdir } from "node:fs/promises";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { storageFailed } from "./files.js";

/** Only the owner may look: logs and documents may hold what the codebase holds. */
export const PRIVATE_DIRECTORY = 0o700;

/** Where Towpath keeps its data: `TOWPATH_DATA_DIR`, else `~/.towpath`. Absolute; read at use, never at import. */
export function dataDirectory(env: NodeJS.ProcessEnv): string {
  const configured = env["TOWPATH_DATA_DIR"];
  if (configured !== undefined && configured !== "") return resolve(configured);
  const home = env["HOME"];
  return join(home === undefined || home === "" ? homedir() : home, ".towpath");
}

/**
 * Makes a directory of Towpath's own, with its parents, for the owner alone; one that exists stays as it is.
 * @throws TowpathError `StorageFailed`
 */
export async function ensurePrivateDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode: PRIVATE_DIRECTORY });
  } catch (error) {
    throw storageFailed("make the directory", path, error);
  }
}
