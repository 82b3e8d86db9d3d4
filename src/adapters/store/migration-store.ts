import { dirname } from "node:path";
import { messageOf, TowpathError } from "../../model/errors.js";
import { type FileFacts, fileGateRefusals, phaseGateError } from "../../model/file-gates.js";
import { isMigrationId, stepOfCheckpointTag } from "../../model/ids.js";
import type { Manifest } from "../../model/manifest.js";
import { nextPhase, type Phase } from "../../model/phases.js";
import type { ProgressEntry } from "../../model/progress-log.js";
import { type Progress, progressOf } from "../../model/progress.js";
import { completePhase } from "../../model/transitions.js";
import {
  addProgress,
  type ArtefactName,
  type Artefacts,
  type Checkpoint,
  jsonText,
  nullIfInvalid,
  readArtefact,
  readCheckpointAt,
  readFileFacts,
  replaceText,
  storeArtefact,
} from "./artefacts.js";
import { createDirectory, type Created, sweepDrafts } from "./create-directory.js";
import { namesIn, readRegularFile, readText, removeFile, syncDirectory } from "./files.js";
import { assertMigrationDirectory, type HeldLock, LOCK_STALE_MS, withLock } from "./lock.js";
import { type Change, ManifestLog, noFacts, type Update, type Updated } from "./manifest-log.js";
import {
  checkpointFile,
  documentPath,
  migrationPaths,
  type DocumentFolder,
  type MigrationPaths,
  migrationsDirectory,
} from "./paths.js";
import { ensurePrivateDirectory } from "./data-directory.js";

export interface StoreOptions {
  /** Absolute path of Towpath's data directory. */
  readonly dataDir: string;
  /** The clock behind `updated_at`; the machine's by default. */
  readonly clock?: () => Date;
  /** After this time a killed holder's lock is taken over; at least 2,000. */
  readonly lockStaleMs?: number;
}

/** A migration in a list: its manifest, or why it cannot be read. */
export type ListedMigration =
  | { readonly id: string; readonly manifest: Manifest }
  | { readonly id: string; readonly error: TowpathError };

const LISTED_AT_ONCE = 16;
const REMEMBERED_LOGS = 256;

/**
 * Everything that is on disk of the migrations below one data directory. All writes of a migration go through its
 * lock; manifests change through {@link updateManifest} alone, each operation once.
 */
export class MigrationStore {
  readonly dataDir: string;
  readonly #clock: () => Date;
  readonly #lockStaleMs: number;
  readonly #logs = new Map<string, ManifestLog>();

  constructor({ dataDir, clock = () => new Date(), lockStaleMs = LOCK_STALE_MS }: StoreOptions) {
    this.dataDir = dataDir;
    this.#clock = clock;
    this.#lockStaleMs = lockStaleMs;
  }

  /** @throws TowpathError `InvalidMigrationId` */
  paths(id: string): MigrationPaths {
    return migrationPaths(this.dataDir, id);
  }

  /**
   * Makes a migration: its directory and first version, exclusively.
   * @param operation names this start: repeated, it answers as before
   * @throws TowpathError `MigrationExists` when another operation made it
   */
  async create(manifest: Manifest, operation: string): Promise<Created> {
    const now = this.#clock();
    await sweepDrafts(this.dataDir, now.getTime());
    return createDirectory(this.dataDir, manifest, operation, now);
  }

  /**
   * The newest manifest, without a lock: true also while others write.
   * @throws TowpathError `MigrationNotFound`, `ManifestNotFound`, `ManifestInvalid`, `StateCorrupt`
   */
  async readManifest(id: string): Promise<Manifest> {
    return this.#log(id).read();
  }

  /**
   * Changes a manifest: the only way to do so. `change` gets the newest manifest (frozen) and gives the next one with
   * a plain JSON answer; `revision`, `updated_at` and `progress_pct` are kept true behind it.
   * @param operation names the effect, not the attempt: done before, its stored answer is given and `change` not run
   * @throws TowpathError whatever `change` throws, nothing being written then
   */
  async updateManifest(
    id: string,
    operation: string,
    change: (manifest: Manifest) => Change,
  ): Promise<Updated> {
    return this.#changed(id, (log, held) =>
      log.update({ operation, prepare: noFacts, change, publish: false }, held),
    );
  }

  /** Writes the newest version into `manifest.json`, which big manifests do not do with every version. */
  async publish(id: string): Promise<Manifest> {
    return this.#changed(id, (log, held) => log.publish(held));
  }

  /**
   * Completes a phase and starts the next, in one locked section: file gate, status, one save. Of any number of
   * concurrent calls one wins; the others get the status error.
   * @param moreRefusals what else must hold, looked at in the same section
   * @returns in `result`: `{phase, next}`
   * @throws TowpathError `PhaseGate`, `PhaseStatus`, `WrongStatus`
   */
  async advancePhase(
    id: string,
    phase: Phase,
    operation: string,
    now: Date,
    moreRefusals: (manifest: Manifest) => readonly string[] = () => [],
  ): Promise<Updated> {
    const update: Update<FileFacts> = {
      operation,
      prepare: () => readFileFacts(this.paths(id)),
      change: (manifest, facts) => {
        const refusals = [...fileGateRefusals(phase, facts, manifest), ...moreRefusals(manifest)];
        if (refusals.length > 0) throw phaseGateError(phase, refusals);
        return { manifest: completePhase(manifest, phase, now), result: { phase, next: nextPhase(phase) } };
      },
      publish: true,
    };
    return this.#changed(id, (log, held) => log.update(update, held));
  }

  /** Why the files do not allow a phase to be left now; empty when they do. */
  async fileGateRefusals(id: string, phase: Phase): Promise<string[]> {
    const manifest = await this.readManifest(id);
    return fileGateRefusals(phase, await readFileFacts(this.paths(id)), manifest);
  }

  /** Every migration, sorted by id; one that cannot be read is listed with its error. */
  async list(): Promise<ListedMigration[]> {
    const names = (await namesIn(migrationsDirectory(this.dataDir))) ?? [];
    const ids = names.filter(isMigrationId).sort();
    const listed: ListedMigration[] = [];
    for (let first = 0; first < ids.length; first += LISTED_AT_ONCE) {
      const batch = ids.slice(first, first + LISTED_AT_ONCE);
      listed.push(...(await Promise.all(batch.map((id) => this.#listed(id)))));
    }
    return listed;
  }

  async #listed(id: string): Promise<ListedMigration> {
    try {
      return { id, manifest: await (this.#logs.get(id) ?? this.#newLog(id)).read() };
    } catch (error) {
      if (error instanceof TowpathError) return { id, error };
      return { id, error: new TowpathError("Internal", messageOf(error), { cause: error }) };
    }
  }

  /** Where a migration stands. An artefact that cannot be understood counts as absent. */
  async progress(id: string): Promise<Progress> {
    const paths = this.paths(id);
    const manifest = await this.readManifest(id);
    const step = stepOfCheckpointTag(manifest.checkpoints.at(-1) ?? "");
    const [features, plan, seams, lastCheckpoint] = await Promise.all([
      nullIfInvalid(readArtefact(paths, "features")),
      nullIfInvalid(readArtefact(paths, "plan")),
      nullIfInvalid(readArtefact(paths, "seams")),
      step === null ? null : nullIfInvalid(readCheckpointAt(checkpointFile(paths, step))),
    ]);
    return progressOf(manifest, { features, plan, seams, lastCheckpoint });
  }

  /** @throws TowpathError `ArtefactInvalid` with every problem; null where there is none */
  async readArtefact<Name extends ArtefactName>(id: string, name: Name): Promise<Artefacts[Name] | null> {
    return readArtefact(this.paths(id), name);
  }

  /** Replaces an artefact. */
  async writeArtefact<Name extends ArtefactName>(
    id: string,
    name: Name,
    value: Artefacts[Name],
  ): Promise<void> {
    const paths = this.paths(id);
    await this.#locked(id, (held) => storeArtefact(paths, name, value, held));
  }

  /**
   * Reads, changes and writes an artefact in one locked section.
   * @param change gets the artefact, null where there is none
   * @throws TowpathError `ArtefactInvalid` when what lies there cannot be understood
   */
  async updateArtefact<Name extends ArtefactName>(
    id: string,
    name: Name,
    change: (current: Artefacts[Name] | null) => Artefacts[Name],
  ): Promise<Artefacts[Name]> {
    const paths = this.paths(id);
    return this.#locked(id, async (held) => {
      const value = change(await readArtefact(paths, name));
      await storeArtefact(paths, name, value, held);
      return value;
    });
  }

  /** Adds an entry to `progress.md`; the newest 50 are kept. */
  async appendProgress(id: string, entry: ProgressEntry): Promise<void> {
    await this.#locked(id, (held) => addProgress(this.paths(id), entry, held));
  }

  /** Writes the file of a checkpoint. */
  async writeCheckpointFile(id: string, checkpoint: Checkpoint): Promise<void> {
    const paths = this.paths(id);
    const path = checkpointFile(paths, checkpoint.step_id);
    await this.#locked(id, async (held) => {
      await ensurePrivateDirectory(paths.checkpoints);
      await replaceText(paths, path, jsonText(checkpoint), held);
    });
  }

  /** @throws TowpathError `ArtefactInvalid`; null where there is none */
  async readCheckpointFile(id: string, stepId: string): Promise<Checkpoint | null> {
    return readCheckpointAt(checkpointFile(this.paths(id), stepId));
  }

  /** Removes the file of a checkpoint; that there is none is fine. */
  async removeCheckpointFile(id: string, stepId: string): Promise<void> {
    const path = checkpointFile(this.paths(id), stepId);
    await this.#locked(id, async (held) => {
      held.assertHeld();
      removeFile(path);
    });
  }

  /** Stores the migration's spec, byte for byte. */
  async writeSpec(id: string, text: string): Promise<void> {
    const paths = this.paths(id);
    await this.#locked(id, (held) => replaceText(paths, paths.spec, text, held));
  }

  /** The stored spec; null in a hands-on migration. */
  async readSpec(id: string): Promise<string | null> {
    return readText(this.paths(id).spec);
  }

  /** Stores the migration's copy of its requirements document, byte for byte. */
  async writeRequirements(id: string, bytes: Uint8Array): Promise<void> {
    const paths = this.paths(id);
    await this.#locked(id, (held) => replaceText(paths, paths.requirements, bytes, held));
  }

  /** The migration's copy of its requirements document; null where there is none. */
  async readRequirements(id: string): Promise<Uint8Array | null> {
    return (await readRegularFile(this.paths(id).requirements))?.bytes ?? null;
  }

  /**
   * Stores a text in one of the migration's folders.
   * @param name a plain file name
   * @returns its path below the migration's directory
   */
  async writeDocument(id: string, folder: DocumentFolder, name: string, text: string): Promise<string> {
    const path = documentPath(this.paths(id), folder, name);
    await this.#locked(id, async (held) => {
      await ensurePrivateDirectory(dirname(path));
      await replaceText(this.paths(id), path, text, held);
    });
    return `${folder}/${name}`;
  }

  /** A text that {@link writeDocument} stored; null where there is none. */
  async readDocument(id: string, folder: DocumentFolder, name: string): Promise<string | null> {
    return readText(documentPath(this.paths(id), folder, name));
  }

  /**
   * Packs the versions of a migration that is over into one file; done before, it does nothing.
   * @throws TowpathError `WrongStatus` where it is not over
   */
  async pack(id: string): Promise<void> {
    await this.#locked(id, (held) => this.#log(id).pack(held));
  }

  /** Removes what writers that are dead had staged: whoever takes the lock does so first. */
  async sweep(id: string): Promise<void> {
    await this.#locked(id, () => syncDirectory(this.paths(id).staging));
  }

  /**
   * Reads the whole chain and checks every link, whatever is remembered of it.
   * @returns the newest version and every operation done; version 0 where there is no chain
   * @throws TowpathError `StateCorrupt` naming the file
   */
  async verifyChain(
    id: string,
  ): Promise<{ readonly version: number; readonly operations: readonly string[] }> {
    assertMigrationDirectory(this.paths(id));
    const tail = await this.#newLog(id).verify();
    return { version: tail?.version ?? 0, operations: [...(tail?.operations.keys() ?? [])] };
  }

  /** Every version of the chain, from the first on, as text. @throws TowpathError `StateCorrupt` naming the file */
  async versionTexts(id: string): Promise<string[]> {
    assertMigrationDirectory(this.paths(id));
    return (await this.#newLog(id).versions()).map(({ bytes }) => bytes.toString("utf8"));
  }

  async #locked<T>(id: string, action: (held: HeldLock) => Promise<T>): Promise<T> {
    return withLock(this.paths(id), this.#lockStaleMs, action);
  }

  /** A holder that stood still until its lock was taken over takes it again. */
  async #changed<T>(
    id: string,
    change: (log: ManifestLog, held: HeldLock) => Promise<T | "overtaken">,
  ): Promise<T> {
    for (;;) {
      const changed = await this.#locked(id, (held) => change(this.#log(id), held));
      if (changed !== "overtaken") return changed;
    }
  }

  #log(id: string): ManifestLog {
    const log = this.#logs.get(id) ?? this.#newLog(id);
    this.#logs.delete(id);
    this.#logs.set(id, log);
    if (this.#logs.size > REMEMBERED_LOGS) {
      const [oldest] = this.#logs.keys();
      if (oldest !== undefined) this.#logs.delete(oldest);
    }
    return log;
  }

  #newLog(id: string): ManifestLog {
    return new ManifestLog(this.paths(id), this.#clock);
  }
}
