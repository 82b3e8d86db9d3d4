import type { CodeChange } from "../../model/requirements/code.js";
import {
  decideRequirements,
  type RequirementsFacts,
  type RequirementsVerdict,
} from "../../model/requirements/decision.js";
import { explainRule } from "../../model/requirements/why.js";
import { changesSince } from "./archive.js";
import { codeSignature, type CodeSignature } from "./code-signature.js";
import { type CurrentRequirements, readCurrent } from "./current.js";
import { type ConventionalDocument, findConventional } from "./input.js";
import type { RequirementsPaths } from "./paths.js";

/** What somebody asked for at the start. */
export interface RequirementsRequest {
  /** A document was given as argument. */
  readonly argument: boolean;
  readonly fresh: boolean;
}

export interface DecideOptions {
  readonly signal?: AbortSignal;
  /** Whether what was read of the code may be remembered in the project. */
  readonly remember?: boolean;
}

/** The decision with everything that it rests on. */
export interface Decided {
  readonly verdict: RequirementsVerdict;
  readonly facts: RequirementsFacts;
  readonly why: string;
  readonly notices: readonly string[];
  readonly current: CurrentRequirements;
  /** The conventional document; looked for only where nothing is persisted. */
  readonly conventional: ConventionalDocument["found"];
  /** What changed in the code since the document was generated; null where that is not known, or does not count. */
  readonly changes: readonly CodeChange[] | null;
  /** null where the decision did not depend on the code. */
  readonly code: CodeSignature | null;
}

const NOTHING: ConventionalDocument = { found: null, notices: [] };

/**
 * Reads the facts of a project and decides what a start would do about its requirements document. Writes nothing but what
 * it remembers of the code, where that is allowed.
 * @throws TowpathError `StorageFailed`, `GitFailed`
 */
export async function decideFor(
  paths: RequirementsPaths,
  request: RequirementsRequest,
  options: DecideOptions = {},
): Promise<Decided> {
  const current = await readCurrent(paths);
  const code = isAboutCode(request, current) ? await codeSignature(paths, options) : null;
  const conventional = await findConventional(paths.project);
  const changed = code !== null && code.signature !== current.pointer?.signature;
  const facts = factsOf(request, current, conventional, changed);
  const verdict = decideRequirements(facts);
  const counts = verdict.rule === "conventional" || verdict.rule === "nothing-persisted";
  const { found, notices } = counts ? conventional : NOTHING;
  const changes = await changesOf(paths, current, code);
  return {
    verdict,
    facts,
    why: explainRule(verdict.rule, {
      conventional: found?.name ?? null,
      origin: current.document?.origin ?? null,
      damage: current.damage,
      changes,
    }),
    changes,
    notices: [...notices, ...noticesOn(verdict, request, current, conventional)],
    current,
    conventional: found,
    code,
  };
}

/** The code counts only for a document that Towpath generated and nobody touched, where nothing else decides. */
function isAboutCode({ argument, fresh }: RequirementsRequest, { document }: CurrentRequirements): boolean {
  return !argument && !fresh && document?.provenance === "generated" && !document.edited;
}

function factsOf(
  { argument, fresh }: RequirementsRequest,
  { document }: CurrentRequirements,
  { found }: ConventionalDocument,
  codeChanged: boolean,
): RequirementsFacts {
  const persisted = document && {
    provenance: document.provenance,
    edited: document.edited,
    codeChanged,
  };
  return { argument, fresh, persisted, conventional: found !== null };
}

async function changesOf(
  paths: RequirementsPaths,
  { pointer }: CurrentRequirements,
  code: CodeSignature | null,
): Promise<readonly CodeChange[] | null> {
  if (pointer === null || code === null) return null;
  return changesSince(paths, pointer.signature, code.listing);
}

function noticesOn(
  { rule }: RequirementsVerdict,
  { fresh }: RequirementsRequest,
  { document, damage }: CurrentRequirements,
  { found }: ConventionalDocument,
): string[] {
  const notices: string[] = [];
  if (rule === "conventional") {
    notices.push(
      `${found?.name ?? ""} is used and persisted: later starts use what was persisted, not that file`,
    );
  }
  if (rule === "argument" && fresh)
    notices.push("--fresh-prd has no effect: a document was given with --prd");
  if (rule === "unknown-provenance")
    notices.push(`The persisted document is not rewritten: ${damage ?? "unknown provenance"}`);
  if (rule === "nothing-persisted" && damage !== null) notices.push(`The former document is gone: ${damage}`);
  if (
    document !== null &&
    found !== null &&
    !found.bytes.equals(document.bytes) &&
    rule !== "argument" &&
    rule !== "fresh"
  ) {
    notices.push(
      `${found.name} in the project is not used: the persisted document wins; give it with --prd to use it`,
    );
  }
  return notices;
}
