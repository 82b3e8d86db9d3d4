import { createHash } from "node:crypto";
import { type BigIntStats, lstatSync, readlinkSync } from "node:fs";
import { constants } from "node:fs";
import { type FileHandle, open, realpath } from "node:fs/promises";
import { setImmediate as turn } from "node:timers/promises";
import { codeListing, type CodeRecord } from "../../model/requirements/code.js";
import type { SignatureMode } from "../../model/requirements/documents.js";
import type { ProjectFile } from "../git/project-files.js";
import { readRegularFile, sha256, storageFailed } from "../store/files.js";
import { type CodeFiles, listCode, placeOf } from "./code-files.js";
import { CodeIndex, type Reading } from "./code-index.js";
import { listingPath, type RequirementsPaths } from "./paths.js";
import { hasCode } from "../../model/system-errors.js";

/** Which code it was: equal signatures are equal contents, whatever the times and the state of git. */
export interface CodeSignature {
  /** sha256 in lower-case hex. */
  readonly signature: string;
  readonly mode: SignatureMode;
  /** Only the head and tail of each file was read. */
  readonly sampled: boolean;
  readonly files: number;
  /** What the signature is made of: see `codeListing`. */
  readonly listing: string;
}

export interface SignatureOptions {
  readonly signal?: AbortSignal | undefined;
  /** Remember what was read, in the project's state directory where there is one. Default: yes. */
  readonly remember?: boolean;
  readonly limits?: SamplingLimits;
}

/** Above either, a project without git is signed by samples. */
export interface SamplingLimits {
  readonly bytes: number;
  readonly files: number;
}

const SAMPLING: SamplingLimits = { bytes: 50 * 1024 * 1024, files: 20_000 };
/** Head and tail of a sampled file. */
const SAMPLE_BYTES = 8 * 1024;
const CHUNK_BYTES = 256 * 1024;
const CONCURRENCY = 16;
/** How long other work of the process waits for this at most, in ms. */
const TURN_MS = 10;

interface SeenFile extends ProjectFile {
  readonly stats: BigIntStats | null;
}

/**
 * Signs the code of a project as it is on disk.
 * @throws TowpathError `StorageFailed`, `GitFailed`; the signal's reason when aborted
 */
export async function codeSignature(
  paths: RequirementsPaths,
  { signal, remember = true, limits = SAMPLING }: SignatureOptions = {},
): Promise<CodeSignature> {
  const project = await realProject(paths.project);
  const code = await listCode(project, signal);
  const seen = await lookAt(project, code.files, signal);
  const reading = readingOf(code, seen, limits);
  const index = await CodeIndex.load(remember ? paths.index : null, reading);
  const records = await new Reader(project, index, reading, signal).read(seen);
  if (remember) await index.save(paths);
  const listing = codeListing(records);
  const sampled = reading === "sampled";
  return {
    signature: signatureOf(listing, sampled),
    mode: code.mode,
    sampled,
    files: records.length,
    listing,
  };
}

/** The listing behind a signature, where it is kept and whole; null otherwise. */
export async function readListing(paths: RequirementsPaths, signature: string): Promise<string | null> {
  if (!/^[0-9a-f]{64}$/.test(signature)) return null;
  const listing = (await readRegularFile(listingPath(paths, signature)))?.bytes.toString("latin1");
  if (listing === undefined) return null;
  return [false, true].some((sampled) => signatureOf(listing, sampled) === signature) ? listing : null;
}

function signatureOf(listing: string, sampled: boolean): string {
  return sha256(Buffer.from(`towpath code 1${sampled ? " sampled" : ""}\0${listing}`, "latin1"));
}

async function realProject(project: string): Promise<string> {
  try {
    return await realpath(project);
  } catch (error) {
    throw storageFailed("look at", project, error);
  }
}

function readingOf({ mode }: CodeFiles, seen: readonly SeenFile[], limits: SamplingLimits): Reading {
  if (mode === "git") return "whole";
  const bytes = seen.reduce((total, { stats }) => total + Number(stats?.isFile() ? stats.size : 0), 0);
  return seen.length > limits.files || bytes > limits.bytes ? "sampled" : "whole";
}

/** Synchronous calls are several times quicker here; the process gets its turn in between. */
async function lookAt(
  project: string,
  files: readonly ProjectFile[],
  signal: AbortSignal | undefined,
): Promise<SeenFile[]> {
  const seen: SeenFile[] = [];
  let begun = performance.now();
  for (const file of files) {
    if (file.commit === null) seen.push({ ...file, stats: lstatOrNull(placeOf(project, file.path)) });
    else seen.push({ ...file, stats: null });
    if (performance.now() - begun < TURN_MS) continue;
    await turn();
    signal?.throwIfAborted();
    begun = performance.now();
  }
  return seen;
}

/** null: gone, or nothing that may be looked at. */
function lstatOrNull(path: Buffer): BigIntStats | null {
  try {
    return lstatSync(path, { bigint: true });
  } catch (error) {
    if (hasCode(error, "ENOENT", "ENOTDIR", "EACCES", "ELOOP", "ENAMETOOLONG")) return null;
    throw storageFailed("look at", path.toString("utf8"), error);
  }
}

/** Reads what has to be read. */
class Reader {
  private readonly records: CodeRecord[] = [];

  constructor(
    private readonly project: string,
    private readonly index: CodeIndex,
    private readonly reading: Reading,
    private readonly signal: AbortSignal | undefined,
  ) {}

  async read(seen: readonly SeenFile[]): Promise<CodeRecord[]> {
    const unknown: { path: string; stats: BigIntStats }[] = [];
    for (const { path, commit, stats } of seen) {
      if (commit !== null) this.records.push({ kind: "c", digest: commit, path });
      else if (stats?.isSymbolicLink()) this.addLink(path);
      else if (stats?.isFile() && !this.addKnown(path, stats)) unknown.push({ path, stats });
    }
    const rest = unknown.values();
    await Promise.all(Array.from({ length: CONCURRENCY }, () => this.readFiles(rest)));
    return this.records;
  }

  private addLink(path: string): void {
    const target = readlinkOrNull(placeOf(this.project, path));
    if (target !== null) this.records.push({ kind: "l", digest: sha256(target), path });
  }

  private addKnown(path: string, stats: BigIntStats): boolean {
    const known = this.index.find(path, stats);
    if (known !== null) this.records.push({ kind: known.kind, digest: known.digest, path });
    return known !== null;
  }

  /** The workers share one iterator: each takes the next file. */
  private async readFiles(rest: IterableIterator<{ path: string; stats: BigIntStats }>): Promise<void> {
    const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
    for (const { path } of rest) {
      this.signal?.throwIfAborted();
      await this.readFile(path, buffer);
    }
  }

  private async readFile(path: string, buffer: Buffer): Promise<void> {
    const place = placeOf(this.project, path);
    let file: FileHandle;
    try {
      file = await open(place, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    } catch (error) {
      if (hasCode(error, "ENOENT", "ENOTDIR", "ELOOP")) return;
      if (!hasCode(error, "EACCES", "EPERM")) throw storageFailed("read", place.toString("utf8"), error);
      this.records.push({ kind: "u", digest: "", path });
      return;
    }
    try {
      await this.readOpened(path, file, buffer);
    } catch (error) {
      throw storageFailed("read", place.toString("utf8"), error);
    } finally {
      await file.close();
    }
  }

  private async readOpened(path: string, file: FileHandle, buffer: Buffer): Promise<void> {
    const readAt = Date.now();
    const before = await file.stat({ bigint: true });
    if (!before.isFile()) return;
    const sampled = this.reading === "sampled";
    const digest = await (sampled
      ? sampleDigest(file, buffer, Number(before.size))
      : wholeDigest(file, buffer));
    const kind = (before.mode & 0o111n) === 0n ? "f" : "x";
    this.records.push({ kind, digest, path });
    const after = await file.stat({ bigint: true });
    const settled = after.mtimeNs === before.mtimeNs && after.ctimeNs === before.ctimeNs;
    if (settled) this.index.remember(path, after, { kind, digest }, readAt);
  }
}

function readlinkOrNull(path: Buffer): Buffer | null {
  try {
    return readlinkSync(path, { encoding: "buffer" });
  } catch (error) {
    if (hasCode(error, "ENOENT", "EINVAL", "ENOTDIR")) return null;
    throw storageFailed("read", path.toString("utf8"), error);
  }
}

async function wholeDigest(file: FileHandle, buffer: Buffer): Promise<string> {
  const hash = createHash("sha256");
  for (;;) {
    const { bytesRead } = await file.read(buffer, 0, CHUNK_BYTES, null);
    if (bytesRead === 0) return hash.digest("hex");
    hash.update(buffer.subarray(0, bytesRead));
  }
}

async function sampleDigest(file: FileHandle, buffer: Buffer, size: number): Promise<string> {
  const hash = createHash("sha256").update(`${size}\0`);
  const tail = Math.max(SAMPLE_BYTES, size - SAMPLE_BYTES);
  for (const position of size > SAMPLE_BYTES ? [0, tail] : [0]) {
    const { bytesRead } = await file.read(buffer, 0, SAMPLE_BYTES, position);
    hash.update(buffer.subarray(0, bytesRead));
  }
  return hash.digest("hex");
}
