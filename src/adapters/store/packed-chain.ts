import { renameSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { corruptFile, entryFileName, entryVersion } from "../../model/manifest-chain.js";
import {
  type FileIdentity,
  namesIn,
  type ReadFile,
  readRegularFile,
  removeFile,
  storageFailed,
  syncDirectory,
  temporaryPath,
} from "./files.js";
import type { ChainPlace } from "./chain.js";

/**
 * The versions of a chain that is over, from the first on, one a line and each byte for byte as it lay in its own file:
 * ten thousand small files become one. The newest version keeps its file, for readers look for that.
 */
export const PACK_NAME = "manifest.packed.jsonl";

const READ_AT_ONCE = 64;

/** An entry's bytes as they lie on disk, with the name of the file that holds them. */
export interface RawEntry {
  readonly bytes: Buffer;
  readonly identity: FileIdentity;
  readonly fileName: string;
}

/**
 * Reads the versions of a chain as they lie there, from the first on.
 * @param until the last version to read
 * @throws TowpathError `StateCorrupt` naming the file of a version that is missing
 */
export async function readRawChain(state: string, until: number): Promise<RawEntry[]> {
  const versions = ((await namesIn(state)) ?? []).map((name) => entryVersion(name) ?? 0);
  const packed = await readPack(state);
  const newest = Math.min(Math.max(0, packed.length, ...newestOf(versions)), until);
  const entries = packed.slice(0, newest);
  for (let first = entries.length + 1; first <= newest; first += READ_AT_ONCE) {
    const count = Math.min(READ_AT_ONCE, newest - first + 1);
    const names = Array.from({ length: count }, (_, index) => entryFileName(first + index));
    const files = await Promise.all(names.map((name) => readRegularFile(join(state, name))));
    files.forEach((file, index) => entries.push(present(file, names[index] ?? "", packed.length)));
  }
  return entries;
}

/** Not as arguments: there may be more of them than a call can take. */
function newestOf(versions: readonly number[]): [number] {
  return [versions.reduce((max, version) => Math.max(max, version), 0)];
}

function present(file: ReadFile | null, fileName: string, packed: number): RawEntry {
  if (file !== null) return { ...file, fileName };
  const where = packed === 0 ? fileName : PACK_NAME;
  throw corruptFile(where, packed === 0 ? "it is missing" : `it ends before the version of ${fileName}`);
}

async function readPack(state: string): Promise<RawEntry[]> {
  const pack = await readRegularFile(join(state, PACK_NAME));
  if (pack === null) return [];
  const entries: RawEntry[] = [];
  for (let begin = 0; begin < pack.bytes.length;) {
    const end = pack.bytes.indexOf(10, begin);
    if (end < 0) throw corruptFile(PACK_NAME, "its last line is cut off");
    const bytes = pack.bytes.subarray(begin, end + 1);
    entries.push({ bytes, identity: pack.identity, fileName: PACK_NAME });
    begin = end + 1;
  }
  return entries;
}

/**
 * Packs the first versions of a chain, and removes their files. Safe at any death: until the pack is in place every file
 * is, and a version that lies in both is the same in both.
 * @param entries the versions to pack, from the first on
 * @param isHeld asked last; of a no nothing comes
 * @throws TowpathError `StorageFailed`
 */
export async function packChain(
  { state, staging }: ChainPlace,
  entries: readonly RawEntry[],
  isHeld: () => boolean,
): Promise<void> {
  if (entries.some(({ fileName }) => fileName !== PACK_NAME)) {
    const pack = join(state, PACK_NAME);
    const temporary = temporaryPath(staging);
    try {
      await writeAll(temporary, entries);
      if (!isHeld()) return;
      renameSync(temporary, pack);
    } catch (error) {
      throw storageFailed("write", pack, error);
    } finally {
      removeFile(temporary);
    }
    await syncDirectory(state);
  }
  for (let version = 1; version <= entries.length; version += 1) {
    removeFile(join(state, entryFileName(version)));
  }
  await syncDirectory(state);
}

async function writeAll(path: string, entries: readonly RawEntry[]): Promise<void> {
  const file = await open(path, "wx", 0o600);
  try {
    for (const { bytes } of entries) await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}
