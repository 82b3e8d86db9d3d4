import { basename, join } from "node:path";
import { modernShape } from "../../model/adoption.js";
import { isObject, parseJson } from "../../model/artefact-text.js";
import { TowpathError } from "../../model/errors.js";
import {
  checkedManifest,
  corrupt,
  entryFileName,
  manifestInvalid,
  readEntry,
} from "../../model/manifest-chain.js";
import { isTerminal, type Manifest, MigrationStatus } from "../../model/manifest.js";
import { statusFromPhases } from "../../model/transitions.js";
import { identityAt, readText, sha256 } from "./files.js";
import type { MigrationPaths } from "./paths.js";

/**
 * The newest manifest from `manifest.json` and one look at the chain, which tells whether the copy is the newest
 * version and unedited; null when it is not, and the chain has to be read.
 */
export async function newestFromCopy(paths: MigrationPaths): Promise<Manifest | null> {
  const text = await readText(paths.manifest);
  const json = text === null ? null : parseJson(text);
  if (text === null || json === null || !json.ok || !isObject(json.value)) return null;
  const { revision } = json.value;
  if (typeof revision !== "number" || !Number.isSafeInteger(revision) || revision < 1) return null;
  const entryText = await readText(join(paths.state, entryFileName(revision)));
  const later = identityAt(join(paths.state, entryFileName(revision + 1)));
  if (entryText === null || later !== null) return null;
  const entry = readEntry(entryText, entryFileName(revision));
  if (entry.version !== revision || entry.published_sha256 !== sha256(text)) return null;
  return checkedManifest(null, json.value);
}

/** A manifest that has no chain yet, with the bytes that it was read from. */
export interface UnchainedManifest {
  readonly manifest: Manifest;
  readonly digest: string;
}

/**
 * Reads the `manifest.json` of a directory without a chain: the predecessor's. Its status is told from the phases,
 * because the predecessor never updated it.
 * @throws TowpathError `ManifestNotFound`, `ManifestInvalid`
 */
export async function readUnchained(paths: MigrationPaths): Promise<UnchainedManifest> {
  const id = basename(paths.directory);
  const text = await readText(paths.manifest);
  if (text === null) {
    throw new TowpathError("ManifestNotFound", `Manifest not found for migration: ${id}`, {
      details: { migration_id: id },
    });
  }
  const json = parseJson(text);
  if (!json.ok) throw manifestInvalid(id, json.problems);
  const manifest = checkedManifest(null, modernShape(json.value));
  if (manifest.id !== id) throw manifestInvalid(id, [`id: must be '${id}', but is '${manifest.id}'`]);
  if (manifest.revision > 0) throw corrupt(manifest.revision, "it is missing");
  return { manifest: { ...manifest, status: statusOfUnchained(manifest) }, digest: sha256(text) };
}

function statusOfUnchained(manifest: Manifest): MigrationStatus {
  const status = MigrationStatus.safeParse(manifest.status);
  return status.success && isTerminal(status.data) ? status.data : statusFromPhases(manifest);
}
