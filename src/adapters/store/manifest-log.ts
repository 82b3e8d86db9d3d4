import { TowpathError } from "../../model/errors.js";
import type { Json } from "../../model/json.js";
import { nextManifest, publishedText } from "../../model/manifest-chain.js";
import { type Manifest, TERMINAL_STATUSES } from "../../model/manifest.js";
import { currentPhase } from "../../model/progress.js";
import { addProgress } from "./artefacts.js";
import { catchUp, commit, loadTail, stage, type StagedVersion, type Tail } from "./chain.js";
import { type FileIdentity, removeFile, sha256, type TemporaryFile } from "./files.js";
import { assertMigrationDirectory, type HeldLock } from "./lock.js";
import { newestFromCopy, readUnchained } from "./manifest-file.js";
import { packChain, type RawEntry, readRawChain } from "./packed-chain.js";
import type { MigrationPaths } from "./paths.js";
import { inspectPublished, keepAside, publishCopy, stageCopy, takeIn } from "./published-copy.js";

/** The operation under which a predecessor's manifest becomes version 1. */
export const ADOPT_OPERATION = "adopt";

/** Above this size `manifest.json` is not written with every version. */
const ALWAYS_PUBLISHED_BYTES = 32 * 1024;
const PUBLISH_EVERY_MS = 1_000;
/** Nor so often that a large one is most of what is written. */
const PUBLISHED_BYTES_A_MS = 256;

/** A race of the compare-and-set is lost only to a holder that was taken over; this many in a row mean another fault. */
const MAX_LOST_RACES = 100;

/** What a change of a manifest comes to: the manifest behind it and the answer that is stored with it. */
export interface Change {
  readonly manifest: Manifest;
  readonly result: Json;
}

/** What an update gives: the stored answer, and the newest manifest. */
export interface Updated {
  readonly result: Json;
  readonly manifest: Manifest;
  /** The operation had been done before; nothing was written. */
  readonly replayed: boolean;
}

export interface Update<Facts> {
  readonly operation: string;
  /** Reads what the change depends on, under the lock. */
  readonly prepare: () => Promise<Facts>;
  readonly change: (manifest: Manifest, facts: Facts) => Change;
  /** Writes `manifest.json` whatever its size. */
  readonly publish: boolean;
}

/** For changes that depend on the manifest alone. */
export function noFacts(): Promise<null> {
  return Promise.resolve(null);
}

/** The manifest of one migration: its chain, what this process knows of it, and the published copy. */
export class ManifestLog {
  readonly #paths: MigrationPaths;
  readonly #now: () => Date;
  #tail: Tail | null = null;
  #copy: FileIdentity | null = null;
  #publishedAt = Number.NEGATIVE_INFINITY;

  constructor(paths: MigrationPaths, now: () => Date) {
    this.#paths = paths;
    this.#now = now;
  }

  /** The newest manifest, without a lock. */
  async read(): Promise<Manifest> {
    if (this.#tail === null) {
      assertMigrationDirectory(this.#paths);
      const manifest = await newestFromCopy(this.#paths);
      if (manifest !== null) return manifest;
    }
    const tail = await this.#newestTail();
    if (tail !== null) return tail.manifest;
    assertMigrationDirectory(this.#paths);
    return (await readUnchained(this.#paths)).manifest;
  }

  /** The chain as it stands, every link checked, whatever this process remembers. */
  async verify(): Promise<Tail | null> {
    return loadTail(this.#paths.state);
  }

  /** Every version, from the first on, checked, as it lies on disk. */
  async versions(): Promise<readonly RawEntry[]> {
    await this.verify();
    return readRawChain(this.#paths.state, Number.POSITIVE_INFINITY);
  }

  /**
   * Packs the chain of a migration that is over into one file, all but its newest version; done before, it does nothing.
   * @throws TowpathError `WrongStatus` where the migration is not over
   */
  async pack(held: HeldLock): Promise<void> {
    const tail = await this.verify();
    if (tail === null) return;
    const { status, id } = tail.manifest;
    if (!TERMINAL_STATUSES.some((terminal) => terminal === status)) {
      throw new TowpathError("WrongStatus", `The versions of ${id} are still needed: it is ${status}`);
    }
    await packChain(this.#paths, await readRawChain(this.#paths.state, tail.version - 1), held.isHeld);
  }

  /**
   * Does an operation once, under the lock.
   * @returns `overtaken` where the lock was taken over meanwhile and nothing was written: it has to be taken again
   */
  async update<Facts>(update: Update<Facts>, held: HeldLock): Promise<Updated | "overtaken"> {
    for (let race = 0; race < MAX_LOST_RACES; race += 1) {
      const tail = (await this.#newestTail()) ?? (await this.#adopt(held));
      if (tail !== null) {
        const stored = tail.operations.get(update.operation);
        if (stored !== undefined) return this.#replayed(tail, stored, held);
        const done = await this.#attempt(tail, update, held);
        if (done !== null) return done;
      }
      if (!held.isHeld()) return "overtaken";
    }
    throw new TowpathError(
      "LockUnavailable",
      `Another process keeps changing ${this.#paths.directory} although it is locked; end it and try again`,
    );
  }

  async #attempt<Facts>(tail: Tail, update: Update<Facts>, held: HeldLock): Promise<Updated | null> {
    const before = await this.#withEdits(tail, held);
    if (before === null) return null;
    const facts = await update.prepare();
    const { manifest, result } = update.change(before, facts);
    const next = nextManifest(tail.manifest, manifest, this.#now().toISOString());
    const text = update.publish || this.#isPublicationDue(tail) ? publishedText(next) : null;
    const written = await this.#write(tail, next, text, { operation: update.operation, result }, held);
    return written ? { result, manifest: next, replayed: false } : null;
  }

  /** @returns false when another process was first; nothing is left behind then */
  async #write(
    tail: Tail | null,
    manifest: Manifest,
    text: string | null,
    done: { readonly operation: string; readonly result: Json },
    held: HeldLock,
  ): Promise<boolean> {
    const published = text === null ? null : sha256(text);
    const version = { ...done, at: manifest.updated_at, manifest, published };
    // Both are made durable at once: the file system then commits them together.
    const [entry, copy] = await both(
      stage(this.#paths, tail, version),
      text === null ? Promise.resolve(null) : stageCopy(this.#paths, text),
    );
    let newest: Tail | null = null;
    try {
      newest = await commit(this.#paths, entry, version, held.isHeld);
    } finally {
      if (newest === null && copy !== null) removeFile(copy.path);
    }
    if (newest === null) return false;
    this.#tail = newest;
    if (copy !== null) await this.#published(copy, held);
    return true;
  }

  /** The process that did the operation may have died before it published: that is caught up on, edits untouched. */
  async #replayed(tail: Tail, result: Json, held: HeldLock): Promise<Updated> {
    const copy = await inspectPublished(this.#paths, tail, null);
    if (copy.kind !== "foreign") {
      const text = publishedText(tail.manifest);
      const digest = sha256(text);
      const stale = copy.kind === "absent" || copy.digest !== digest;
      if (stale && tail.published.has(digest)) {
        await this.#published(await stageCopy(this.#paths, text), held);
      }
    }
    return { result: structuredClone(result), manifest: tail.manifest, replayed: true };
  }

  async #newestTail(): Promise<Tail | null> {
    const known = this.#tail;
    const tail =
      (known === null ? null : await catchUp(this.#paths.state, known)) ??
      (await loadTail(this.#paths.state));
    // A reader without a lock may come back behind a writer of the same process.
    if (this.#tail === known || tail === null || tail.version >= (this.#tail?.version ?? 0))
      this.#tail = tail;
    return tail;
  }

  async #adopt(held: HeldLock): Promise<Tail | null> {
    const { manifest, digest } = await readUnchained(this.#paths);
    const at = this.#now().toISOString();
    const first = nextManifest(null, manifest, at);
    const version = { operation: ADOPT_OPERATION, result: null, at, manifest: first, published: digest };
    return commit(this.#paths, await stage(this.#paths, null, version), version, held.isHeld);
  }

  /** @returns null when the chain has grown since `tail` was read */
  async #withEdits(tail: Tail, held: HeldLock): Promise<Manifest | null> {
    const copy = await inspectPublished(this.#paths, tail, this.#copy);
    if (copy.kind === "ours") this.#copy = copy.identity;
    if (copy.kind !== "foreign") return tail.manifest;
    // Published meanwhile: by the successors of a holder that was taken over, or by such a holder that goes on.
    if ((await this.#newestTail())?.version !== tail.version) return null;
    const taken = await takeIn(this.#paths, tail, copy.text);
    if (taken !== null) return taken;
    const name = await keepAside(this.#paths, copy.digest);
    await addProgress(
      this.#paths,
      {
        time: this.#now().toISOString(),
        agent: "towpath",
        phase: currentPhase(tail.manifest),
        summary: `manifest.json was edited in keys that are Towpath's own, or made unreadable. The edit was not taken in; it is kept in ${name}.`,
      },
      held,
    );
    this.#publishedAt = Number.NEGATIVE_INFINITY;
    return tail.manifest;
  }

  #isPublicationDue(tail: Tail): boolean {
    const { snapshot, patches } = tail.weight;
    const bytes = snapshot + patches;
    if (bytes < ALWAYS_PUBLISHED_BYTES) return true;
    const everyMs = Math.max(PUBLISH_EVERY_MS, bytes / PUBLISHED_BYTES_A_MS);
    return performance.now() - this.#publishedAt >= everyMs;
  }

  async #published(staged: TemporaryFile, held: HeldLock): Promise<void> {
    this.#copy = await publishCopy(this.#paths, staged, held.isHeld);
    this.#publishedAt = performance.now();
  }

  /** Writes the newest version into `manifest.json` if it is not there, under the lock. */
  async publish(held: HeldLock): Promise<Manifest | "overtaken"> {
    const tail = await this.#newestTail();
    const copied = await newestFromCopy(this.#paths);
    if (tail !== null && copied?.revision === tail.version) return copied;
    const republish: Update<null> = {
      operation: `publish@${tail?.version ?? 0}`,
      prepare: noFacts,
      change: (current) => ({ manifest: current, result: null }),
      publish: true,
    };
    const updated = await this.update(republish, held);
    return updated === "overtaken" ? updated : updated.manifest;
  }
}

/** Waits for two staged files; when one fails, the other is removed. */
async function both(
  entry: Promise<StagedVersion>,
  copy: Promise<TemporaryFile | null>,
): Promise<[StagedVersion, TemporaryFile | null]> {
  try {
    return await Promise.all([entry, copy]);
  } catch (error) {
    for (const end of await Promise.allSettled([entry.then(({ temporary }) => temporary), copy])) {
      if (end.status === "fulfilled" && end.value !== null) removeFile(end.value.path);
    }
    throw error;
  }
}
