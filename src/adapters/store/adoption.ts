import { cp, open, readdir, rename, rm } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { type ForeignTexts, inspectForeign, type Inspection } from "../../model/adoption.js";
import { messageOf, TowpathError } from "../../model/errors.js";
import { isMigrationId } from "../../model/ids.js";
import { loadTail } from "./chain.js";
import { ensurePrivateDirectory } from "./data-directory.js";
import { kindAt, namesIn, readText, storageFailed, syncDirectory, temporaryName } from "./files.js";
import { ADOPT_OPERATION } from "./manifest-log.js";
import { migrationPaths, migrationsDirectory, pathsBelow } from "./paths.js";
import { hasCode } from "../../model/system-errors.js";

/** Files that are made durable at a time. */
const SYNCED_AT_ONCE = 16;

/**
 * Looks at a migration directory of the predecessor's, wherever it lies; nothing is changed.
 * @throws TowpathError `MigrationNotFound` where there is no such directory, `WrongStatus` where Towpath made it
 */
export async function inspectDirectory(directory: string): Promise<Inspection> {
  const id = basename(directory);
  if (kindAt(directory) !== "directory") {
    throw new TowpathError("MigrationNotFound", `Migration not found: ${directory} is no directory`);
  }
  const paths = pathsBelow(directory);
  const tail = await loadTail(paths.state);
  if (tail !== null && !tail.operations.has(ADOPT_OPERATION)) {
    throw new TowpathError(
      "WrongStatus",
      `Cannot adopt ${id}: it is Towpath's own. See: towpath status ${id}`,
    );
  }
  const unreadable: string[] = [];
  const text = async (path: string): Promise<string | null> => {
    try {
      return await readText(path);
    } catch (error) {
      unreadable.push(messageOf(error));
      return null;
    }
  };
  const texts: ForeignTexts = {
    id,
    manifest: await text(paths.manifest),
    seams: await text(paths.seams),
    features: await text(paths.features),
    plan: await text(paths.plan),
    checkpoints: await checkpointTexts(paths.checkpoints, text),
  };
  const inspection = inspectForeign(texts);
  return { ...inspection, problems: [...unreadable, ...inspection.problems] };
}

async function checkpointTexts(
  directory: string,
  read: (path: string) => Promise<string | null>,
): Promise<ForeignTexts["checkpoints"]> {
  if (kindAt(directory) !== "directory") return [];
  const names = ((await namesIn(directory)) ?? []).filter((name) => name.endsWith(".json")).sort();
  const found = await Promise.all(
    names.map(async (name) => ({ name, text: await read(join(directory, name)) })),
  );
  return found.flatMap(({ name, text }) => (text === null ? [] : [{ name, text }]));
}

/**
 * Copies a migration directory into the data directory, whole or not at all; the original stays as it is.
 * @throws TowpathError `MigrationExists` where the data directory has one of that id, `InvalidMigrationId`, `StorageFailed`
 */
export async function copyIn(dataDir: string, directory: string): Promise<void> {
  const id = basename(directory);
  const target = migrationPaths(dataDir, id).directory;
  const root = migrationsDirectory(dataDir);
  await ensurePrivateDirectory(root);
  if (kindAt(target) !== "nothing") throw exists(id, target);
  const draft = join(root, temporaryName().replace(".tmp-", ".new-"));
  try {
    await cp(directory, draft, { recursive: true, errorOnExist: true, verbatimSymlinks: true });
    await syncTree(draft);
    await rename(draft, target);
    await syncDirectory(root);
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    if (hasCode(error, "ENOTEMPTY", "EEXIST", "ENOTDIR")) throw exists(id, target);
    throw error instanceof TowpathError ? error : storageFailed("copy", directory, error);
  }
}

function exists(id: string, target: string): TowpathError {
  return new TowpathError("MigrationExists", `${target} exists already: adopt it by its id, ${id}`);
}

async function syncTree(directory: string): Promise<void> {
  const entries = await readdir(directory, { withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  for (let first = 0; first < files.length; first += SYNCED_AT_ONCE) {
    await Promise.all(
      files.slice(first, first + SYNCED_AT_ONCE).map(({ name }) => syncFile(join(directory, name))),
    );
  }
  for (const entry of entries) if (entry.isDirectory()) await syncTree(join(directory, entry.name));
  await syncDirectory(directory);
}

async function syncFile(path: string): Promise<void> {
  const file = await open(path, "r");
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

/**
 * The directory that a reference to a predecessor's migration means: a path, or an id in one of the given homes.
 * @param homes data directories, in the order in which they are looked at
 * @throws TowpathError `MigrationNotFound`
 */
export async function findForeign(reference: string, cwd: string, homes: readonly string[]): Promise<string> {
  const candidates = isMigrationId(reference)
    ? homes.map((home) => join(migrationsDirectory(home), reference))
    : [];
  for (const directory of [...candidates, resolve(cwd, reference)]) {
    if (kindAt(directory) === "directory") return directory;
  }
  const looked = candidates.length === 0 ? "" : ` Looked at: ${candidates.join(", ")}.`;
  throw new TowpathError("MigrationNotFound", `Migration not found: ${reference}.${looked}`, {
    details: { reference },
  });
}
