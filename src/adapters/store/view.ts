import { cp, mkdir, rm, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { storageFailed } from "./files.js";
import type { MigrationPaths } from "./paths.js";

/** What a command has no business with: the chain of versions, other attempts' output, logs. */
const WITHHELD: readonly (keyof MigrationPaths)[] = ["state", "out", "logs"];

export interface ViewRequest {
  readonly paths: MigrationPaths;
  /** Where the copy goes; made anew. */
  readonly target: string;
  /** Directory below the migration's that is shown in its place: it must exist in the copy. */
  readonly outDirectory: string;
  /** Text of a file beside the others; null: none. */
  readonly stdin: string | null;
}

/** The file of the view that holds a command's input. */
export const VIEW_STDIN = ".stdin";

/**
 * Copies what commands may read of a migration's directory, for showing it where the directory itself cannot be.
 * Links are left out.
 * @throws TowpathError `StorageFailed`
 */
export async function layView({ paths, target, outDirectory, stdin }: ViewRequest): Promise<void> {
  const withheld = new Set(WITHHELD.map((key) => paths[key]));
  try {
    await rm(target, { recursive: true, force: true });
    await mkdir(dirname(target), { recursive: true, mode: 0o700 });
    await cp(paths.directory, target, {
      recursive: true,
      verbatimSymlinks: true,
      filter: (source) => !withheld.has(source) && !isTemporary(source),
    });
    await mkdir(join(target, relative(paths.directory, outDirectory)), { recursive: true, mode: 0o700 });
    await writeFile(join(target, VIEW_STDIN), stdin ?? "", { mode: 0o600 });
  } catch (error) {
    throw storageFailed("copy the migration's files to", target, error);
  }
}

/** Removes a view; that there is none is fine. @throws TowpathError `StorageFailed` */
export async function removeView(target: string): Promise<void> {
  try {
    await rm(target, { recursive: true, force: true });
  } catch (error) {
    throw storageFailed("remove", target, error);
  }
}

/** What is being written may be gone a moment later. */
function isTemporary(path: string): boolean {
  return /\/\.(?:tmp|new)-[^/]*$/.test(path);
}
