import { readDocument } from "../adapters/requirements/archive.js";
import { codeSignature } from "../adapters/requirements/code-signature.js";
import { decideFor, type Decided } from "../adapters/requirements/decide.js";
import { requirementsPaths, type RequirementsPaths } from "../adapters/requirements/paths.js";
import { persistDocument, settleDocument, showDocument } from "../adapters/requirements/persist.js";
import { sha256 } from "../adapters/store/files.js";
import { TowpathError } from "../model/errors.js";
import type { Manifest } from "../model/manifest.js";
import { RequirementsView } from "../model/requirements/decision.js";
import type { DecideRequirements } from "./contract.js";
import { heartbeating } from "./heartbeat.js";
import type { Host } from "./host.js";

/** Texts in history are short, whatever files are called. */
const MAX_TEXT = 2_000;
const MAX_NOTICES = 10;

/** The document that a migration is to use, and how it was decided. */
interface Plan {
  readonly view: RequirementsView;
  /** null: none yet. */
  readonly bytes: Uint8Array | null;
}

/**
 * Decides, once, what is done about the requirements document: reads the facts, records the decision in the manifest,
 * and keeps the document for this migration. Run again it answers what it recorded.
 */
export function decideOnRequirements(host: Host, input: DecideRequirements): Promise<RequirementsView> {
  return heartbeating(async (signal) => {
    const manifest = await host.store.readManifest(input.migrationId);
    const paths = requirementsPaths(manifest.source_info.path);
    const view =
      recordedView(manifest, input.operation) ?? (await decideAndRecord(host, paths, input, signal));
    if (view.rule === "conventional") await persistConventional(host, paths, input.migrationId, view, signal);
    await settleDocument(paths);
    return view;
  });
}

/** What an operation recorded; null where it was not done yet. */
export function recordedView(
  { requirements }: Pick<Manifest, "requirements">,
  operation: string,
): RequirementsView | null {
  return requirements?.["operation"] === operation ? RequirementsView.parse(requirements) : null;
}

async function decideAndRecord(
  host: Host,
  paths: RequirementsPaths,
  { migrationId, operation, prd }: DecideRequirements,
  signal: AbortSignal,
): Promise<RequirementsView> {
  const request = { argument: prd.sha !== null, fresh: prd.fresh };
  const decided = await decideFor(paths, request, { signal });
  const { view, bytes } = await planOf(paths, decided, prd.sha);
  // The migration's copy comes first: what is recorded can then always be read.
  if (bytes !== null) await host.store.writeRequirements(migrationId, bytes);
  await recordView(host, migrationId, operation, view);
  if (decided.current.stale) await showDocument(paths);
  return view;
}

/** Records which document a migration uses, and why. */
export async function recordView(
  host: Host,
  migrationId: string,
  operation: string,
  view: RequirementsView,
): Promise<void> {
  await host.store.updateManifest(migrationId, operation, (manifest) => ({
    manifest: { ...manifest, requirements: { ...view, operation } },
    result: null,
  }));
}

async function planOf(
  paths: RequirementsPaths,
  { verdict, why, notices, current, conventional }: Decided,
  given: string | null,
): Promise<Plan> {
  const base = {
    ...verdict,
    why: why.slice(0, MAX_TEXT),
    notices: notices.slice(0, MAX_NOTICES).map((notice) => notice.slice(0, MAX_TEXT)),
  };
  if (given !== null) {
    const bytes = await givenDocument(paths, given);
    return { bytes, view: { ...base, source: "user", sha: given } };
  }
  if (verdict.rule === "conventional" && conventional !== null) {
    const { bytes } = conventional;
    return { bytes, view: { ...base, source: "user", sha: sha256(bytes) } };
  }
  const { document } = current;
  if (verdict.action === "generate" || document === null) {
    return { bytes: null, view: { ...base, source: null, sha: null } };
  }
  // What somebody wrote into a generated document is theirs.
  const source = document.edited ? "user" : document.provenance;
  return { bytes: document.bytes, view: { ...base, source, sha: document.sha } };
}

async function givenDocument(paths: RequirementsPaths, sha: string): Promise<Uint8Array> {
  const bytes = await readDocument(paths, sha);
  if (bytes !== null) return bytes;
  throw new TowpathError(
    "RequirementsNotFound",
    `${paths.project} holds no requirements document with the sha ${sha} (any more): start the migration again with --prd`,
  );
}

/** From the migration's own copy: the file may be another by now, and what was decided holds. */
async function persistConventional(
  host: Host,
  paths: RequirementsPaths,
  migrationId: string,
  { sha }: RequirementsView,
  signal: AbortSignal,
): Promise<void> {
  const bytes = await host.store.readRequirements(migrationId);
  if (bytes === null || sha256(bytes) !== sha) {
    throw new TowpathError(
      "StateCorrupt",
      `The requirements document of ${migrationId} is not the one that was recorded; put requirements.md back`,
    );
  }
  const code = await codeSignature(paths, { signal });
  await persistDocument(
    paths,
    { bytes, source: "user", code, now: host.now() },
    // Somebody who persisted another document meanwhile wins.
    { accept: ({ document }) => document === null },
  );
}
