import { constants } from "node:fs";
import { type FileHandle, lstat, open } from "node:fs/promises";
import { TowpathError } from "../../model/errors.js";
import {
  type ArchivedDocument,
  DocumentPointer,
  type Provenance,
} from "../../model/requirements/documents.js";
import { type ReadFile, readRegularFile, sameIdentity, sha256, storageFailed } from "../store/files.js";
import { copyPath, type RequirementsPaths } from "./paths.js";
import { hasCode } from "../../model/system-errors.js";

/** A document that is persisted in a project. */
export interface PersistedDocument {
  readonly bytes: Buffer;
  readonly sha: string;
  readonly provenance: Provenance;
  /** The text in the project is not the one that was persisted. */
  readonly edited: boolean;
  /** When it was persisted; null where that is not known. */
  readonly persistedAt: string | null;
  readonly origin: string | null;
}

/** What a project holds of requirements documents. */
export interface CurrentRequirements {
  /** null where there is none that can be understood. */
  readonly pointer: DocumentPointer | null;
  readonly record: "missing" | "damaged" | "good";
  /** Why nothing reliable is known of a document that lies there. */
  readonly damage: string | null;
  readonly document: PersistedDocument | null;
  /** What lies at the document's place. */
  readonly lying: { readonly identity: string; readonly sha: string } | null;
  /** The place of the document does not show what the pointer names. */
  readonly stale: boolean;
}

interface Lying {
  readonly bytes: Buffer;
  readonly sha: string;
  readonly identity: string;
}

/** How often a reader begins anew because somebody was just writing. */
const READ_ATTEMPTS = 100;

/**
 * Reads the persisted document with what is known of it, both from the same write, without a lock.
 * @throws TowpathError `StorageFailed`, `LockUnavailable`
 */
export async function readCurrent(paths: RequirementsPaths): Promise<CurrentRequirements> {
  for (let attempt = 1; attempt <= READ_ATTEMPTS; attempt += 1) {
    const before = await readRegularFile(paths.pointer);
    const lying = await readLying(paths.document);
    const after = await readRegularFile(paths.pointer);
    const there = await identityOf(paths.document);
    // A file that was replaced while it was read has another identity than the one that it had in its place.
    if (isSame(before, after) && there === (lying?.identity ?? null)) {
      return interpret(paths, after?.bytes ?? null, lying);
    }
  }
  throw new TowpathError(
    "LockUnavailable",
    `The requirements document of ${paths.project} is being written again and again; try again when that is over`,
  );
}

async function identityOf(path: string): Promise<string | null> {
  try {
    return placeIdentity(await lstat(path, { bigint: true }));
  } catch (error) {
    if (hasCode(error, "ENOENT")) return null;
    throw storageFailed("look at", path, error);
  }
}

function isSame(before: ReadFile | null, after: ReadFile | null): boolean {
  if (before === null || after === null) return before === after;
  return sameIdentity(before.identity, after.identity);
}

async function interpret(
  paths: RequirementsPaths,
  pointerBytes: Buffer | null,
  lying: Lying | null,
): Promise<CurrentRequirements> {
  const pointer = pointerBytes === null ? null : parsePointer(pointerBytes.toString("utf8"));
  const place = lying === null ? null : { identity: lying.identity, sha: lying.sha };
  const known = { pointer, lying: place, damage: null, stale: false };
  if (pointer === null) {
    const record = pointerBytes === null ? "missing" : "damaged";
    const unrecorded = lying === null ? null : "it has no record";
    const damage = pointerBytes === null ? unrecorded : "its record is damaged";
    return { ...known, pointer, record, damage, document: lying && unknownDocument(lying) };
  }
  if (lying !== null && (lying.sha === pointer.prd_sha || lying.identity !== pointer.over)) {
    const edited = lying.sha !== pointer.prd_sha;
    return { ...known, pointer, record: "good", document: documentOf(pointer, lying, edited) };
  }
  const bytes = await readCopy(paths, pointer.prd_sha);
  if (bytes !== null) {
    const document = documentOf(pointer, { bytes, sha: pointer.prd_sha }, false);
    return { ...known, pointer, record: "good", document, stale: true };
  }
  const damage = "the document that its record names is gone";
  return { ...known, pointer, record: "good", damage, document: lying && unknownDocument(lying) };
}

function unknownDocument({ bytes, sha }: Lying): PersistedDocument {
  return { bytes, sha, provenance: "unknown", edited: false, persistedAt: null, origin: null };
}

function documentOf(
  pointer: DocumentPointer,
  { bytes, sha }: Pick<Lying, "bytes" | "sha">,
  edited: boolean,
): PersistedDocument {
  const { source, generated_at: persistedAt, origin_path: origin } = pointer;
  return { bytes, sha, provenance: source, edited, persistedAt, origin: origin ?? null };
}

/** The pointer that a text is; null where it is none. */
export function parsePointer(text: string): DocumentPointer | null {
  try {
    const pointer = DocumentPointer.safeParse(JSON.parse(text));
    return pointer.success ? pointer.data : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

/** A document by its sha; null where there is none, or what lies there is something else. */
export async function readCopy(paths: RequirementsPaths, sha: string): Promise<Buffer | null> {
  const bytes = (await readRegularFile(copyPath(paths, sha)))?.bytes ?? null;
  return bytes !== null && sha256(bytes) === sha ? bytes : null;
}

/** Tells one file at the document's place from another, and from itself after a change. */
export function placeIdentity(stats: {
  readonly ino: bigint;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
  readonly size: bigint;
}): string {
  return `${stats.ino} ${stats.mtimeNs} ${stats.ctimeNs} ${stats.size}`;
}

async function readLying(path: string): Promise<Lying | null> {
  let file: FileHandle;
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (hasCode(error, "ENOENT")) return null;
    throw storageFailed("read", path, error);
  }
  try {
    const stats = await file.stat({ bigint: true });
    if (!stats.isFile()) throw new Error("it is no regular file");
    const bytes = await file.readFile();
    return { bytes, sha: sha256(bytes), identity: placeIdentity(stats) };
  } catch (error) {
    throw storageFailed("read", path, error);
  } finally {
    await file.close();
  }
}

/** What a replaced pointer and document become in the history, the newest first. */
export function archivedBy(
  current: CurrentRequirements,
  next: { readonly sha: string; readonly replacedAt: string },
): ArchivedDocument[] {
  const { pointer, document } = current;
  const replaced: ArchivedDocument[] = [];
  if (
    document !== null &&
    (document.edited || document.provenance === "unknown") &&
    document.sha !== next.sha
  ) {
    // What somebody wrote into the document's place is theirs.
    const source = document.edited ? "user" : "unknown";
    replaced.push({ prd_sha: document.sha, source, generated_at: "", replaced_at: next.replacedAt });
  }
  if (pointer !== null && pointer.prd_sha !== next.sha) {
    const { prd_sha, source, generated_at, origin_path } = pointer;
    const origin = origin_path === undefined ? {} : { origin_path };
    replaced.push({ prd_sha, source, generated_at, replaced_at: next.replacedAt, ...origin });
  }
  return replaced;
}
