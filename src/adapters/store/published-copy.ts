import { existsSync, renameSync } from "node:fs";
import { link } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { parseJson } from "../../model/artefact-text.js";
import { checkedManifest, withForeignKeys } from "../../model/manifest-chain.js";
import type { Manifest } from "../../model/manifest.js";
import { loadTail, type Tail } from "./chain.js";
import {
  type FileIdentity,
  identityAt,
  readRegularFile,
  removeFile,
  sameIdentity,
  sha256,
  storageFailed,
  syncDirectory,
  type TemporaryFile,
  writeTemporary,
} from "./files.js";
import type { MigrationPaths } from "./paths.js";
import { hasCode } from "../../model/system-errors.js";

/** What stands in `manifest.json`, seen against the chain. */
export type PublishedCopy =
  | { readonly kind: "ours"; readonly identity: FileIdentity; readonly digest: string | null }
  | { readonly kind: "absent" }
  | { readonly kind: "foreign"; readonly text: string; readonly digest: string };

/**
 * Looks whether `manifest.json` is what Towpath published; a file known by its identity is not read again.
 * @throws TowpathError `StorageFailed`
 */
export async function inspectPublished(
  paths: MigrationPaths,
  tail: Tail,
  known: FileIdentity | null,
): Promise<PublishedCopy> {
  if (known !== null) {
    const identity = identityAt(paths.manifest);
    if (identity !== null && sameIdentity(identity, known)) return { kind: "ours", identity, digest: null };
  }
  const file = await readRegularFile(paths.manifest);
  if (file === null) return { kind: "absent" };
  const digest = sha256(file.bytes);
  if (tail.published.has(digest)) return { kind: "ours", identity: file.identity, digest };
  return { kind: "foreign", text: file.bytes.toString("utf8"), digest };
}

/**
 * The manifest with somebody's edit taken in, where all that it changes are keys that Towpath does not know;
 * null where it changes anything else, or cannot be read.
 */
export async function takeIn(paths: MigrationPaths, tail: Tail, text: string): Promise<Manifest | null> {
  const json = parseJson(text);
  if (!json.ok) return null;
  const edited = z.looseObject({ revision: z.int().positive() }).safeParse(json.value);
  if (!edited.success || edited.data.revision > tail.version) return null;
  const base = await manifestAt(paths.state, tail, edited.data.revision);
  const taken = base === null ? null : withForeignKeys(tail.manifest, base, json.value);
  return taken === null ? null : checkedManifest(tail.manifest, taken);
}

async function manifestAt(state: string, tail: Tail, version: number): Promise<Manifest | null> {
  if (version === tail.version) return tail.manifest;
  return (await loadTail(state, version))?.manifest ?? null;
}

/**
 * Keeps an edited `manifest.json` under a name of its own before the truth is published again.
 * @returns that name
 */
export async function keepAside(paths: MigrationPaths, digest: string): Promise<string> {
  const name = `manifest.json.edited-${digest.slice(0, 8)}`;
  try {
    await link(paths.manifest, join(paths.directory, name));
  } catch (error) {
    // The same edit was kept before, or whoever made it took it away meanwhile.
    if (!hasCode(error, "EEXIST", "ENOENT")) throw storageFailed("keep the edited", paths.manifest, error);
  }
  return name;
}

/** Writes the next `manifest.json` under a temporary name. */
export async function stageCopy(paths: MigrationPaths, text: string): Promise<TemporaryFile> {
  return writeTemporary(paths.staging, text, paths.manifest);
}

/**
 * Puts a staged copy in the place of `manifest.json`.
 * @returns what recognises the file later; null where the lock was taken over meanwhile, whose holder publishes
 */
export async function publishCopy(
  paths: MigrationPaths,
  staged: TemporaryFile,
  isHeld: () => boolean,
): Promise<FileIdentity | null> {
  try {
    if (isHeld()) renameSync(staged.path, paths.manifest);
    else return null;
  } catch (error) {
    // Only a successor sweeps, also one whose lock cannot be told from the one that was taken over.
    if (hasCode(error, "ENOENT") && (!isHeld() || !existsSync(staged.path))) return null;
    throw storageFailed("write", paths.manifest, error);
  } finally {
    removeFile(staged.path);
  }
  await syncDirectory(paths.directory);
  return staged.identity;
}
