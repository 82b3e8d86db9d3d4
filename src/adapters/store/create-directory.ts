import { mkdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { TowpathError } from "../../model/errors.js";
import { nextManifest, publishedText } from "../../model/manifest-chain.js";
import type { Manifest } from "../../model/manifest.js";
import { commit, loadTail, stage } from "./chain.js";
import { ensurePrivateDirectory, PRIVATE_DIRECTORY } from "./data-directory.js";
import {
  isAbandoned,
  kindAt,
  namesIn,
  sha256,
  storageFailed,
  syncDirectory,
  temporaryName,
} from "./files.js";
import { migrationPaths, migrationsDirectory, pathsBelow } from "./paths.js";
import { publishCopy, stageCopy } from "./published-copy.js";
import { hasCode } from "../../model/system-errors.js";

export interface Created {
  readonly manifest: Manifest;
  /** False when the same operation had made the migration before. */
  readonly created: boolean;
}

/**
 * Makes a migration's directory with its first version. It appears whole or not at all: it is built beside its place
 * and renamed into it, which an existing migration refuses.
 * @throws TowpathError `MigrationExists` when another operation made it
 */
export async function createDirectory(
  dataDir: string,
  manifest: Manifest,
  operation: string,
  now: Date,
): Promise<Created> {
  const root = migrationsDirectory(dataDir);
  const target = migrationPaths(dataDir, manifest.id).directory;
  await ensurePrivateDirectory(root);
  if (kindAt(target) !== "nothing") return existing(dataDir, manifest.id, operation);
  const draft = join(root, temporaryName().replace(".tmp-", ".new-"));
  try {
    const first = await build(draft, manifest, operation, now);
    await rename(draft, target);
    await syncDirectory(root);
    return { manifest: first, created: true };
  } catch (error) {
    await removeTree(draft);
    if (hasCode(error, "ENOTEMPTY", "EEXIST", "ENOTDIR")) return existing(dataDir, manifest.id, operation);
    throw error instanceof TowpathError ? error : storageFailed("make", target, error);
  }
}

/** Nobody else knows of a draft. */
const isAlone = (): boolean => true;

async function build(draft: string, manifest: Manifest, operation: string, now: Date): Promise<Manifest> {
  const paths = pathsBelow(draft);
  const folders = [
    paths.state,
    paths.staging,
    paths.docs,
    paths.checkpoints,
    paths.logs,
    paths.out,
    paths.reports,
    paths.feedback,
  ];
  await makeDirectories([draft, ...folders]);
  const first = nextManifest(null, { ...manifest, revision: 0 }, now.toISOString());
  const text = publishedText(first);
  const version = { operation, result: null, at: first.updated_at, manifest: first, published: sha256(text) };
  await commit(paths, await stage(paths, null, version), version, isAlone);
  await publishCopy(paths, await stageCopy(paths, text), isAlone);
  return first;
}

async function makeDirectories(directories: readonly string[]): Promise<void> {
  for (const directory of directories) {
    try {
      await mkdir(directory, { mode: PRIVATE_DIRECTORY });
    } catch (error) {
      throw storageFailed("make the directory", directory, error);
    }
  }
}

async function existing(dataDir: string, id: string, operation: string): Promise<Created> {
  const paths = migrationPaths(dataDir, id);
  const tail = kindAt(paths.directory) === "directory" ? await loadTail(paths.state) : null;
  if (tail !== null && tail.operations.has(operation)) return { manifest: tail.manifest, created: false };
  throw new TowpathError("MigrationExists", `The migration ${id} exists already; nothing was changed`, {
    details: { migration_id: id },
  });
}

async function removeTree(path: string): Promise<void> {
  try {
    await rm(path, { recursive: true, force: true });
  } catch (error) {
    throw storageFailed("remove", path, error);
  }
}

/** Removes what starts that died half-way left behind. */
export async function sweepDrafts(dataDir: string, now: number): Promise<void> {
  const root = migrationsDirectory(dataDir);
  for (const name of (await namesIn(root)) ?? []) {
    if (name.startsWith(".new-") && isAbandoned(root, name, now)) await removeTree(join(root, name));
  }
}
