import path from "node:path";
import { codeSignature } from "../../adapters/requirements/code-signature.js";
import { decideFor } from "../../adapters/requirements/decide.js";
import { readDocumentFile } from "../../adapters/requirements/input.js";
import { requirementsPaths } from "../../adapters/requirements/paths.js";
import { persistDocument } from "../../adapters/requirements/persist.js";
import type { RequirementsRequest } from "../../model/messages.js";
import type { RequirementsAction } from "../../model/requirements/decision.js";

/** A document that a user named, read and checked; nothing is written yet. */
export interface GivenDocument {
  readonly bytes: Uint8Array;
  /** Absolute, as it was named. */
  readonly origin: string;
}

/** What a start would do about the requirements document. */
export interface PlannedRequirements {
  /** null: it is decided where the migration is placed, from the clone there. */
  readonly action: RequirementsAction | null;
  readonly why: string;
  readonly notices: readonly string[];
}

/**
 * Reads the document that `--prd` names.
 * @throws TowpathError `RequirementsInvalid`
 */
export async function readGiven(file: string | undefined, cwd: string): Promise<GivenDocument | null> {
  if (file === undefined) return null;
  const origin = path.resolve(cwd, file);
  return { bytes: await readDocumentFile(origin), origin };
}

/** What a start of a project would decide; nothing is written. */
export async function plannedRequirements(
  project: string,
  request: { readonly argument: boolean; readonly fresh: boolean },
): Promise<PlannedRequirements> {
  const { verdict, why, notices } = await decideFor(requirementsPaths(project), request, { remember: false });
  return { action: verdict.action, why, notices };
}

/**
 * Persists a given document in the project, byte for byte; the migration finds it there by its sha.
 * @throws TowpathError `StorageFailed`, `LockUnavailable`, `GitFailed`
 */
export async function persistGiven(
  project: string,
  given: GivenDocument | null,
  fresh: boolean,
): Promise<RequirementsRequest> {
  if (given === null) return { sha: null, fresh };
  const paths = requirementsPaths(project);
  const code = await codeSignature(paths);
  const { sha } = await persistDocument(paths, { ...given, source: "user", code, now: new Date() });
  return { sha, fresh };
}
