import { lstatSync, renameSync } from "node:fs";
import { TowpathError } from "../../model/errors.js";
import {
  type ArchivedDocument,
  DOCUMENT_PATH,
  type DocumentPointer,
  type DocumentSource,
  namedCopies,
  withArchived,
} from "../../model/requirements/documents.js";
import {
  kindAt,
  namesIn,
  removeFile,
  renameInto,
  sha256,
  storageFailed,
  syncDirectory,
  writeTemporary,
} from "../store/files.js";
import type { HeldLock } from "../store/lock.js";
import type { CodeSignature } from "./code-signature.js";
import { archivedBy, type CurrentRequirements, placeIdentity, readCopy, readCurrent } from "./current.js";
import { copyPath, listingPath, type RequirementsPaths, withRequirementsLock } from "./paths.js";
import { hasLeftovers, removeDropped, removeUncommitted, sweep } from "./sweep.js";

/** A document that is to become the current one, with the code that it is about. */
export interface DocumentDraft {
  readonly bytes: Uint8Array;
  readonly source: DocumentSource;
  /** Where a user's document came from: absolute, or relative to the project. */
  readonly origin?: string;
  readonly code: CodeSignature;
  readonly now: Date;
  /** The migration's operation, under which a retry finds its own write. */
  readonly operation?: string;
  /** When the document itself was made, if that was not now: the label of a document that stays as it is. */
  readonly generatedAt?: string;
}

export interface PersistOptions {
  /** Looked at under the lock: whether what is there now may be replaced. */
  readonly accept?: (current: CurrentRequirements) => boolean;
  readonly lockStaleMs?: number;
}

export interface Persisted {
  /** `refused`: what `accept` said; nothing was written, as with `unchanged`. */
  readonly outcome: "persisted" | "unchanged" | "refused";
  readonly sha: string;
  /** What was there before. */
  readonly before: CurrentRequirements;
}

/**
 * Makes a document the project's current one together with the signature of the code, in one step: whoever reads, and
 * whatever dies in between, there is the old pair or the new one. What it replaces is archived.
 * @throws TowpathError `StorageFailed`, `LockUnavailable`; the old pair is as it was then, unless only the projection
 * of the new one could not be written
 */
export function persistDocument(
  paths: RequirementsPaths,
  draft: DocumentDraft,
  options: PersistOptions = {},
): Promise<Persisted> {
  return withRequirementsLock(
    paths,
    async (held) => {
      const before = await readCurrent(paths);
      await sweep(paths, before);
      const sha = sha256(draft.bytes);
      if (options.accept?.(before) === false) return { outcome: "refused", sha, before };
      if (isThere(before, draft, sha)) return { outcome: "unchanged", sha, before };
      await new Write(paths, before, draft, sha).run(held);
      return { outcome: "persisted", sha, before };
    },
    options.lockStaleMs,
  );
}

function isThere(
  { pointer, document, stale }: CurrentRequirements,
  draft: DocumentDraft,
  sha: string,
): boolean {
  if (pointer === null || document?.sha !== sha || document.edited || stale) return false;
  return draft.source === "user"
    ? pointer.source === "user"
    : pointer.source === "generated" && pointer.signature === draft.code.signature;
}

/**
 * Sees to it that the document lies where people look for it, and that nothing is left of writers that died.
 * @throws TowpathError `StorageFailed`, `LockUnavailable`
 */
export function showDocument(paths: RequirementsPaths): Promise<void> {
  return withRequirementsLock(paths, async (held) => {
    const current = await readCurrent(paths);
    await sweep(paths, current);
    if (!current.stale || current.document === null) return;
    const temporary = await writeTemporary(paths.state, current.document.bytes, paths.document, 0o644);
    project(paths, temporary.path, current.lying?.identity ?? null, held);
    removeFile(temporary.path);
    await syncDirectory(paths.directory);
  });
}

/**
 * Takes away what writers that died have left, and their lock, if there is anything.
 * @throws TowpathError `StorageFailed`, `LockUnavailable`
 */
export async function settleDocument(paths: RequirementsPaths): Promise<void> {
  if (await hasLeftovers(paths)) await showDocument(paths);
}

/** Puts the document in its place, unless somebody wrote there meanwhile: that is an edit, which counts. */
function project(paths: RequirementsPaths, temporary: string, over: string | null, held: HeldLock): void {
  held.assertHeld();
  if (identityAt(paths.document) !== over) return;
  try {
    renameSync(temporary, paths.document);
  } catch (error) {
    throw storageFailed("write", paths.document, error);
  }
}

function identityAt(path: string): string | null {
  try {
    const stats = lstatSync(path, { bigint: true, throwIfNoEntry: false });
    return stats === undefined ? null : placeIdentity(stats);
  } catch (error) {
    throw storageFailed("look at", path, error);
  }
}

interface Staged {
  readonly temporary: string;
  readonly path: string;
}

/** One write of a document: everything is made durable beside its place first, then put in place, the pointer in the middle. */
class Write {
  private readonly temporaries: string[] = [];
  private readonly created: string[] = [];
  private readonly staged: Staged[] = [];

  constructor(
    private readonly paths: RequirementsPaths,
    private readonly before: CurrentRequirements,
    private readonly draft: DocumentDraft,
    private readonly sha: string,
  ) {}

  async run(held: HeldLock): Promise<void> {
    const { paths, before } = this;
    const history = await this.history();
    try {
      await this.stageCopies();
      await this.stageListing();
      const pointer = await this.temporary(this.pointerText(history), paths.pointer);
      const shown =
        before.lying?.sha === this.sha ? null : await this.temporary(this.draft.bytes, paths.document, 0o644);
      for (const { temporary, path } of this.staged) renameInto(temporary, path);
      await syncDirectory(paths.copies);
      this.commit(pointer, held);
      await syncDirectory(paths.state);
      if (shown !== null) project(paths, shown, before.lying?.identity ?? null, held);
      await syncDirectory(paths.directory);
    } finally {
      await this.cleanUp();
    }
  }

  private commit(pointer: string, held: HeldLock): void {
    held.assertHeld();
    if (identityAt(this.paths.document) !== (this.before.lying?.identity ?? null)) {
      throw new TowpathError(
        "LockUnavailable",
        `Somebody is just writing ${this.paths.document}; try again when they are done`,
      );
    }
    try {
      renameSync(pointer, this.paths.pointer);
    } catch (error) {
      throw storageFailed("write", this.paths.pointer, error);
    }
  }

  private async history(): Promise<ArchivedDocument[]> {
    const { before, paths, sha } = this;
    const replacedAt = this.draft.now.toISOString();
    const replaced = archivedBy(before, { sha, replacedAt });
    const known = new Set([sha, ...replaced.map((entry) => entry.prd_sha)]);
    const lost = (await orphans(paths, before, replacedAt)).filter((entry) => !known.has(entry.prd_sha));
    const earlier = [...(before.pointer?.history ?? []), ...lost];
    return withArchived(earlier, replaced);
  }

  private async stageCopies(): Promise<void> {
    const { document } = this.before;
    const wanted = new Map<string, Uint8Array>([[this.sha, this.draft.bytes]]);
    if (document !== null) wanted.set(document.sha, document.bytes);
    for (const [sha, bytes] of wanted) {
      if ((await readCopy(this.paths, sha)) !== null) continue;
      const path = copyPath(this.paths, sha);
      this.staged.push({ temporary: await this.temporary(bytes, path), path });
      this.created.push(sha);
    }
  }

  private async stageListing(): Promise<void> {
    const { signature, listing } = this.draft.code;
    const path = listingPath(this.paths, signature);
    if (kindAt(path) !== "nothing") return;
    this.staged.push({ temporary: await this.temporary(Buffer.from(listing, "latin1"), path), path });
  }

  private pointerText(history: readonly ArchivedDocument[]): string {
    const { draft, before } = this;
    const pointer: DocumentPointer = {
      signature: draft.code.signature,
      generated_at: draft.generatedAt ?? draft.now.toISOString(),
      prd_path: DOCUMENT_PATH,
      prd_sha: this.sha,
      mode: draft.code.mode,
      source: draft.source,
      ...(draft.origin === undefined ? {} : { origin_path: draft.origin }),
      ...(draft.operation === undefined ? {} : { operation: draft.operation }),
      over: before.lying?.identity ?? null,
      created: this.created,
      dropped: this.dropped(history),
      history: [...history],
    };
    return `${JSON.stringify(pointer, null, 2)}\n`;
  }

  private dropped(history: readonly ArchivedDocument[]): string[] {
    const kept = namedCopies({ prd_sha: this.sha, history: [...history] });
    const { pointer } = this.before;
    return pointer === null ? [] : [...namedCopies(pointer)].filter((sha) => !kept.has(sha));
  }

  private async temporary(content: string | Uint8Array, target: string, mode?: number): Promise<string> {
    const { path } = await writeTemporary(this.paths.state, content, target, mode);
    this.temporaries.push(path);
    return path;
  }

  /** Whether the pointer was put in place or not, what the one in place does not name goes. */
  private async cleanUp(): Promise<void> {
    const { paths } = this;
    for (const path of this.temporaries) removeFile(path);
    const now = await readCurrent(paths);
    await removeUncommitted(paths, now, this.created);
    if (now.pointer !== null) await removeDropped(paths, now.pointer);
  }
}

/** Copies that no record names, for another tool or a person replaced it: as history they are not lost. */
async function orphans(
  paths: RequirementsPaths,
  { pointer }: CurrentRequirements,
  replacedAt: string,
): Promise<ArchivedDocument[]> {
  const named = pointer === null ? new Set<string>() : namedCopies(pointer);
  return ((await namesIn(paths.copies)) ?? [])
    .flatMap((name) => /^([0-9a-f]{64})\.md$/.exec(name)?.[1] ?? [])
    .filter((sha) => !named.has(sha))
    .sort()
    .map((sha) => ({ prd_sha: sha, source: "unknown", generated_at: "", replaced_at: replacedAt }));
}
