import { z } from "zod";
import { keepUndoneHead } from "../adapters/git/refs.js";
import { undo } from "../adapters/git/undo.js";
import { continueWith, type SpecEdit } from "../model/continuation.js";
import { TowpathError } from "../model/errors.js";
import type { Manifest } from "../model/manifest.js";
import { Phase } from "../model/phases.js";
import { requireSpec } from "../model/spec/parse.js";
import type { Spec } from "../model/spec/schema.js";
import { tallyOf } from "../model/tally.js";
import type { ContinuationResult, ContinueWithSpec } from "./contract.js";
import { forgetCheckpoints, projectPlanFile } from "./decisions.js";
import { heartbeating } from "./heartbeat.js";
import { type Host, openSpecMigration, specDigest, specFileName, type SpecMigration } from "./host.js";
import { commitEverything, openWorktree, standing, undoneTag } from "./workspace.js";

const Continued = z.object({
  phase: Phase,
  step: z.string().nullable(),
  /** Where the branch goes back to; null while no worktree was laid. */
  to: z.string().nullable(),
  kept: z.int(),
  forgotten: z.array(z.string()),
  head: z.string().nullable(),
  undone: z.string().nullable(),
});
type Continued = z.infer<typeof Continued>;

/**
 * Stores an edited spec, keeps the finished steps that it leaves as they were, and brings records, branch and worktree
 * back to before the first that changed. As in a rollback the record is what counts, and what is undone stays reachable.
 * @throws TowpathError `SpecInvalid` with every problem; `Usage` for another migration's spec; `WrongStatus` hands-on
 */
export function continueWithSpec(host: Host, input: ContinueWithSpec): Promise<ContinuationResult> {
  return heartbeating(async (signal) => {
    const { migrationId, spec: edition } = input;
    const after = readEdition(edition);
    await requireSpecMigration(host, migrationId);
    const migration = await openSpecMigration(host, migrationId);
    await keepSpecs(host, migration, edition.text);
    const recorded = await record(host, migration, input, after, signal);
    await host.store.writeSpec(migrationId, edition.text);
    const continued = Continued.parse(recorded.result);
    await bringBack(host, recorded.manifest, continued, signal);
    await host.store.appendProgress(migrationId, {
      time: host.now().toISOString(),
      agent: input.by,
      phase: continued.phase,
      summary: `Goes on with an edited spec (${edition.digest.slice(0, 12)}): ${continued.kept} finished steps kept`,
    });
    await projectPlanFile(host, migrationId);
    const { phase, step, kept, undone } = continued;
    return { ...tallyOf(recorded.manifest), phase, step, kept, undone };
  });
}

function readEdition({ fileName, text, digest }: ContinueWithSpec["spec"]): Spec {
  if (specDigest(text) !== digest) {
    throw new TowpathError(
      "Usage",
      `The text of ${fileName} is not the one that its digest names; send it again`,
    );
  }
  return requireSpec(text, { fileName });
}

async function requireSpecMigration(host: Host, migrationId: string): Promise<void> {
  const { mode } = await host.store.readManifest(migrationId);
  if (mode === "spec") return;
  throw new TowpathError(
    "WrongStatus",
    `Cannot edit the spec of ${migrationId}: it is hands-on and has none`,
  );
}

/** Both are kept under their digests before anything refers to the new one: whichever is recorded can be read. */
async function keepSpecs(host: Host, { id, manifest }: SpecMigration, text: string): Promise<void> {
  const current = await host.store.readSpec(id);
  if (current !== null && specDigest(current) === manifest.spec_digest) {
    await host.store.writeDocument(id, "specs", specFileName(manifest.spec_digest), current);
  }
  await host.store.writeDocument(id, "specs", specFileName(specDigest(text)), text);
}

async function record(
  host: Host,
  migration: SpecMigration,
  { operation, spec: edition }: ContinueWithSpec,
  after: Spec,
  signal: AbortSignal,
) {
  const { digest, params, allowHost } = edition;
  const edit: SpecEdit = { before: migration.spec, after, digest, params, allowHost };
  const head = await everythingIn(host, migration, signal);
  return await host.store.updateManifest(migration.id, operation, (current) => {
    const back = continueWith(current, edit, null, host.now());
    const undone = head === null || back.head === head ? null : undoneTag(current);
    const { manifest, phase, step, kept, forgotten } = continueWith(current, edit, undone, host.now());
    const to = head === null ? null : back.head;
    const continued: Continued = { phase, step, to, kept, forgotten: [...forgotten], head, undone };
    return { manifest, result: continued };
  });
}

/** All that is in the worktree, as a commit; null while none was laid. */
async function everythingIn(
  host: Host,
  migration: SpecMigration,
  signal: AbortSignal,
): Promise<string | null> {
  if (migration.manifest.base_commit === undefined) return null;
  const worktree = await openWorktree(host, migration.manifest, signal);
  return (await commitEverything(migration, worktree, host.now(), signal)).everything;
}

async function bringBack(
  host: Host,
  manifest: Manifest,
  { to, head, undone, forgotten }: Continued,
  signal: AbortSignal,
): Promise<void> {
  if (to === null || head === null) return;
  const migration = await openSpecMigration(host, manifest.id);
  const worktree = await openWorktree(host, manifest, signal);
  if (undone !== null) await keepUndoneHead({ repo: worktree, tag: undone, commit: head, signal });
  const guard = standing(host, manifest.id, { lease: null, head: to });
  await undo({ worktree, commit: to, exclude: migration.exclude, guard, signal });
  await forgetCheckpoints(host, worktree, manifest, forgotten);
}
