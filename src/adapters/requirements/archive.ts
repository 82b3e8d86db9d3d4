import { TowpathError } from "../../model/errors.js";
import type { Provenance } from "../../model/requirements/documents.js";
import { codeChanges, type CodeChange } from "../../model/requirements/code.js";
import { readListing } from "./code-signature.js";
import { readCopy, readCurrent } from "./current.js";
import type { RequirementsPaths } from "./paths.js";

/** A document of the project, the current one or one that was replaced. */
export interface KnownDocument {
  readonly sha: string;
  readonly source: Provenance;
  /** The current one; else when it was replaced. */
  readonly state: "current" | "persisted" | "replaced";
  readonly persistedAt: string;
  readonly replacedAt: string;
  readonly origin: string | null;
}

/**
 * Every document that the project knows of, the newest first. An edited current document stands in front of the one that
 * was persisted.
 * @throws TowpathError `StorageFailed`
 */
export async function knownDocuments(paths: RequirementsPaths): Promise<KnownDocument[]> {
  const { pointer, document } = await readCurrent(paths);
  const documents: KnownDocument[] = [];
  if (document !== null) {
    documents.push({
      sha: document.sha,
      source: document.edited ? "user" : document.provenance,
      state: "current",
      persistedAt: document.edited ? "" : (document.persistedAt ?? ""),
      replacedAt: "",
      origin: document.edited ? null : document.origin,
    });
  }
  if (pointer === null) return documents;
  if (document?.sha !== pointer.prd_sha) {
    const { prd_sha: sha, source, generated_at: persistedAt, origin_path: origin = null } = pointer;
    documents.push({ sha, source, state: "persisted", persistedAt, replacedAt: "", origin });
  }
  for (const { prd_sha: sha, source, generated_at, replaced_at, origin_path = null } of pointer.history) {
    const times = { persistedAt: generated_at, replacedAt: replaced_at };
    documents.push({ sha, source, state: "replaced", ...times, origin: origin_path });
  }
  return documents;
}

/**
 * The one document that a sha, or its beginning, means.
 * @throws TowpathError `RequirementsNotFound`; `Usage` where several are meant
 */
export async function findDocument(
  paths: RequirementsPaths,
  beginning: string,
): Promise<{ readonly document: KnownDocument; readonly bytes: Buffer }> {
  const matching = (await knownDocuments(paths)).filter(({ sha }) => sha.startsWith(beginning));
  const [document] = matching;
  if (document === undefined) {
    throw new TowpathError(
      "RequirementsNotFound",
      `No requirements document of ${paths.project} has the sha ${beginning}: 'towpath prd history' lists them`,
    );
  }
  if (new Set(matching.map(({ sha }) => sha)).size > 1) {
    throw new TowpathError("Usage", `${beginning} begins the shas of several documents: give more of it`);
  }
  const bytes = await readDocument(paths, document.sha);
  if (bytes !== null) return { document, bytes };
  throw new TowpathError(
    "RequirementsNotFound",
    `The copy of the document ${document.sha} is gone or damaged: it cannot be brought back`,
  );
}

/** The bytes of a document by its full sha, wherever the project has them; null where it has not. */
export async function readDocument(paths: RequirementsPaths, sha: string): Promise<Buffer | null> {
  const { document } = await readCurrent(paths);
  if (document?.sha === sha) return document.bytes;
  return readCopy(paths, sha);
}

/**
 * What changed in the code since a signature, by readable paths.
 * @returns null where it is not known any more what the code was
 */
export async function changesSince(
  paths: RequirementsPaths,
  signature: string,
  listing: string,
): Promise<CodeChange[] | null> {
  const before = await readListing(paths, signature);
  if (before === null) return null;
  return codeChanges(before, listing).map(({ path, kind }) => ({
    path: Buffer.from(path, "latin1").toString("utf8"),
    kind,
  }));
}
