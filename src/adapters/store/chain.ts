import { join } from "node:path";
import { TowpathError } from "../../model/errors.js";
import type { Json } from "../../model/json.js";
import { settle } from "../../model/derived.js";
import { deepFreeze } from "../../model/json-patch.js";
import {
  checkedManifest,
  entryBody,
  entryFileName,
  parseEntry,
  replay,
  type ChainEntry,
} from "../../model/manifest-chain.js";
import type { Manifest } from "../../model/manifest.js";
import {
  type FileIdentity,
  identityAt,
  linkNew,
  readRegularFile,
  removeFile,
  sameIdentity,
  sha256,
  syncDirectory,
  type TemporaryFile,
  writeTemporary,
} from "./files.js";
import { type RawEntry, readRawChain } from "./packed-chain.js";
import type { MigrationPaths } from "./paths.js";

/** The newest version of a manifest, with what is needed to append to it. */
export interface Tail {
  readonly version: number;
  /** sha256 of the newest entry's bytes. */
  readonly digest: string;
  readonly manifest: Manifest;
  /** Every operation of the chain with its stored answer. Shared with older tails, only ever added to. */
  readonly operations: Map<string, Json>;
  /** sha256 of every `manifest.json` that was published. Shared with older tails, only ever added to. */
  readonly published: Set<string>;
  /** The newest entry's file: a chain of the same length in its place is another chain. */
  readonly identity: FileIdentity;
  /** Bytes of the last snapshot, and of the patches since. */
  readonly weight: { readonly snapshot: number; readonly patches: number };
}

/** Where a chain lies, and where its next version is made. */
export type ChainPlace = Pick<MigrationPaths, "state" | "staging">;

interface StoredEntry {
  readonly entry: ChainEntry;
  readonly digest: string;
  readonly size: number;
  readonly identity: FileIdentity;
}

/**
 * Reads a chain from its first version, checking every link; null where there is none.
 * @param until the last version to read; all of them by default
 * @throws TowpathError `StateCorrupt` naming the file
 */
export async function loadTail(state: string, until = Number.POSITIVE_INFINITY): Promise<Tail | null> {
  const stored: StoredEntry[] = [];
  for (const raw of await readRawChain(state, until)) {
    stored.push(storedEntry(raw, stored.at(-1), stored.length + 1));
  }
  return stored.length === 0 ? null : tailBehind(null, stored);
}

function storedEntry(
  file: Omit<RawEntry, "fileName"> & { readonly fileName?: string },
  before: { readonly digest: string } | undefined,
  version: number,
): StoredEntry {
  const text = file.bytes.toString("utf8");
  return {
    entry: parseEntry(text, { version: version - 1, digest: before?.digest ?? null }, file.fileName),
    digest: sha256(file.bytes),
    size: file.bytes.length,
    identity: file.identity,
  };
}

/**
 * Takes in what other processes appended since. A tail is never trusted unasked: its own file must still be there
 * and the next one is looked for.
 * @returns null when the tail's own entry is gone or another: the chain has to be read anew
 */
export async function catchUp(state: string, tail: Tail): Promise<Tail | null> {
  const identity = identityAt(join(state, entryFileName(tail.version)));
  if (identity === null || !sameIdentity(identity, tail.identity)) return null;
  const nextPath = join(state, entryFileName(tail.version + 1));
  if (identityAt(nextPath) === null) return tail;
  const next = await readRegularFile(nextPath);
  const stored: StoredEntry[] = [];
  for (let file = next; file !== null;) {
    const version = tail.version + stored.length + 1;
    stored.push(storedEntry(file, stored.at(-1) ?? tail, version));
    file = await readRegularFile(join(state, entryFileName(version + 1)));
  }
  return stored.length === 0 ? tail : tailBehind(tail, stored);
}

function tailBehind(before: Tail | null, stored: readonly StoredEntry[]): Tail {
  const last = stored.at(-1);
  if (last === undefined) throw new TowpathError("Internal", "A chain has at least one version");
  const document = replay(
    before?.manifest ?? null,
    stored.map(({ entry }) => entry),
  );
  const operations = before?.operations ?? new Map<string, Json>();
  const published = before?.published ?? new Set<string>();
  for (const { entry } of stored) {
    operations.set(entry.operation, entry.result);
    if (entry.published_sha256 !== undefined) published.add(entry.published_sha256);
  }
  return {
    version: last.entry.version,
    digest: last.digest,
    manifest: deepFreeze(checkedManifest(before?.manifest ?? null, document)),
    operations,
    published,
    identity: last.identity,
    weight: stored.reduce(
      (weight, { entry, size }) => weightWith(weight, "snapshot" in entry, size),
      before?.weight ?? NO_WEIGHT,
    ),
  };
}

const NO_WEIGHT: Tail["weight"] = { snapshot: 0, patches: 0 };

function weightWith(weight: Tail["weight"], isSnapshot: boolean, size: number): Tail["weight"] {
  return isSnapshot ? { snapshot: size, patches: 0 } : { ...weight, patches: weight.patches + size };
}

export interface NewVersion {
  readonly operation: string;
  readonly result: Json;
  readonly at: string;
  /** The manifest of this version: its revision is the version. */
  readonly manifest: Manifest;
  /** sha256 of the `manifest.json` that is published for this version, if one is. */
  readonly published: string | null;
}

/** A version that is durable under a temporary name and becomes the next one by {@link commit}. */
export interface StagedVersion {
  readonly temporary: TemporaryFile;
  readonly next: Tail;
}

/**
 * Writes the version behind `tail`, or the first where there is none, under a temporary name.
 * @throws TowpathError `StorageFailed`
 */
export async function stage(
  { state, staging }: ChainPlace,
  tail: Tail | null,
  version: NewVersion,
): Promise<StagedVersion> {
  const body = entryBody(tail?.manifest ?? null, version.manifest, tail?.weight ?? NO_WEIGHT);
  // The next version comes from this one.
  if (version.manifest.steps !== undefined) settle(version.manifest.steps);
  const head = {
    version: version.manifest.revision,
    previous: tail?.digest ?? null,
    operation: version.operation,
    result: version.result,
    at: version.at,
    ...(version.published === null ? {} : { published_sha256: version.published }),
  };
  const text = `${JSON.stringify({ ...head, ...body })}\n`;
  const temporary = await writeTemporary(staging, text, join(state, entryFileName(head.version)));
  const next = {
    version: head.version,
    digest: sha256(text),
    manifest: version.manifest,
    operations: tail?.operations ?? new Map<string, Json>(),
    published: tail?.published ?? new Set<string>(),
    identity: temporary.identity,
    weight: weightWith(tail?.weight ?? NO_WEIGHT, "snapshot" in body, Buffer.byteLength(text)),
  };
  return { temporary, next };
}

/**
 * Makes a staged version the newest: durable when this returns.
 * @param isHeld asked last: of a chain that is over, versions are packed away, and an overtaken holder would find the
 * place of its version free again
 * @returns null when another process appended first, or took the lock over
 * @throws TowpathError `StorageFailed`; whether the version is there is then known by its operation only
 */
export async function commit(
  { state }: ChainPlace,
  staged: StagedVersion,
  version: NewVersion,
  isHeld: () => boolean,
): Promise<Tail | null> {
  const { temporary, next } = staged;
  try {
    if (!isHeld()) return null;
    const outcome = linkNew(temporary.path, join(state, entryFileName(next.version)));
    if (outcome !== "linked") return null;
    await syncDirectory(state);
  } finally {
    removeFile(temporary.path);
  }
  // A copy, so that a caller who goes on with its answer does not change the stored one.
  next.operations.set(version.operation, structuredClone(version.result));
  if (version.published !== null) next.published.add(version.published);
  return next;
}
