import { z } from "zod";
import { deleteTag, keepUndoneHead, listTags } from "../adapters/git/refs.js";
import { undo } from "../adapters/git/undo.js";
import type { Worktree } from "../adapters/git/places.js";
import { rollBackTo, skipStep, tolerateFailure } from "../model/attempts.js";
import { stepOfCheckpointTag } from "../model/ids.js";
import type { Manifest } from "../model/manifest.js";
import { Phase } from "../model/phases.js";
import { projectPlan } from "../model/spec/plan-projection.js";
import { resolvePhase, resolveStep } from "../model/spec/resolve.js";
import { type Tally, tallyOf } from "../model/tally.js";
import { isStepDone } from "../model/step-summary.js";
import { recordedSteps } from "../model/steps.js";
import { startPhase } from "../model/transitions.js";
import type {
  PhaseOperation,
  PhaseOutline,
  RecordWaiting,
  RollbackResult,
  StepOperation,
  StepOrder,
} from "./contract.js";
import { heartbeating } from "./heartbeat.js";
import { type Host, openSpecMigration } from "./host.js";
import { keepKnownWorktree } from "./known-worktrees.js";
import { commitEverything, openWorktree, standing, undoneTag } from "./workspace.js";

/** Puts a phase in progress; for the first one, and after a rollback, it already is. */
export async function beginPhase(host: Host, input: PhaseOperation): Promise<PhaseOutline> {
  const { manifest } = await host.store.updateManifest(input.migrationId, input.operation, (current) => ({
    manifest: { ...startPhase(current, input.phase, host.now()), status: "in_progress", waiting_for: null },
    result: null,
  }));
  keepKnownWorktree(host, manifest);
  if (manifest.mode !== "spec") return { ...tallyOf(manifest), manual: true };
  const { spec } = await openSpecMigration(host, manifest.id);
  await projectPlanFile(host, manifest.id);
  return { ...tallyOf(manifest), manual: resolvePhase(spec, input.phase).manual };
}

/** Writes `migration-plan.json` from what is so, for people and other tools. */
export async function projectPlanFile(host: Host, migrationId: string): Promise<void> {
  const { spec, manifest } = await openSpecMigration(host, migrationId);
  await host.store.writeArtefact(migrationId, "plan", projectPlan(spec, manifest.steps ?? {}));
}

/** The next steps of a phase that are not done, in their order. */
export async function nextSteps(
  host: Host,
  input: { migrationId: string; phase: Phase; limit: number },
): Promise<StepOrder[]> {
  const manifest = await host.store.readManifest(input.migrationId);
  if (manifest.mode !== "spec") return [];
  const { spec } = await openSpecMigration(host, input.migrationId);
  const open = (recordedSteps(manifest) ?? []).filter(
    ({ record }) => record.phase === input.phase && !isStepDone(record),
  );
  return open.slice(0, input.limit).map(({ id, record }) => {
    const step = resolveStep(spec, id);
    return {
      id,
      attempts: record.attempts,
      maxAttempts: step.retry.maxAttempts,
      backoffMs: step.retry.backoffMs,
      budgetMs: step.timeoutMs * (1 + step.verify.length),
      continueOnError: step.continueOnError,
      summary: step.name === step.id ? step.id : `${step.id}: ${step.name}`,
    };
  });
}

/** Lets a failed step stay failed, as its definition says. */
export async function tolerate(host: Host, input: StepOperation): Promise<void> {
  await host.store.updateManifest(input.migrationId, input.operation, (manifest) => ({
    manifest: tolerateFailure(manifest, input.step),
    result: null,
  }));
}

/** Records that somebody goes on without a step, and why. */
export async function skip(
  host: Host,
  input: StepOperation & { reason: string; by: string },
): Promise<Tally> {
  const { manifest } = await host.store.updateManifest(input.migrationId, input.operation, (current) => ({
    manifest: skipStep(current, input.step, input, host.now()),
    result: null,
  }));
  const record = manifest.steps?.[input.step];
  await host.store.appendProgress(input.migrationId, {
    // The time of the record, so that a second execution writes the same entry.
    time: record?.skipped?.at ?? "",
    agent: input.by,
    phase: record?.phase ?? "",
    summary: `Step '${input.step}' was skipped: ${input.reason}`,
  });
  return tallyOf(manifest);
}

/** Writes what the migration waits for, or that it goes on. */
export async function recordWaiting(host: Host, input: RecordWaiting): Promise<void> {
  const { manifest } = await host.store.updateManifest(input.migrationId, input.operation, (current) => ({
    manifest: { ...current, status: input.status, waiting_for: input.waiting },
    result: null,
  }));
  keepKnownWorktree(host, manifest);
  await host.store.publish(manifest.id);
}

const RolledBack = z.object({
  phase: Phase,
  base: z.string(),
  forgotten: z.array(z.string()),
  head: z.string(),
  undone: z.string().nullable(),
  at: z.string(),
});

/**
 * Brings records, branch and worktree back to a step's checkpoint. The record is what counts: whoever finds the branch
 * not yet moved moves it. What is undone, uncommitted work included, stays reachable under a tag.
 */
export function rollback(host: Host, input: StepOperation & { by: string }): Promise<RollbackResult> {
  return heartbeating(async (signal) => {
    const migration = await openSpecMigration(host, input.migrationId);
    const worktree = await openWorktree(host, migration.manifest, signal);
    const { everything: head } = await commitEverything(migration, worktree, host.now(), signal);
    const { manifest, result } = await host.store.updateManifest(
      input.migrationId,
      input.operation,
      (current) => {
        const { base } = rollBackTo(current, input.step, null, host.now());
        const undone = base === head ? null : undoneTag(current);
        const { manifest: rolled, phase, forgotten } = rollBackTo(current, input.step, undone, host.now());
        const at = host.now().toISOString();
        return { manifest: rolled, result: { phase, base, forgotten: [...forgotten], head, undone, at } };
      },
    );
    const recorded = RolledBack.parse(result);
    if (recorded.undone !== null) {
      await keepUndoneHead({ repo: worktree, tag: recorded.undone, commit: recorded.head, signal });
    }
    const guard = standing(host, migration.id, { lease: null, head: recorded.base });
    await undo({ worktree, commit: recorded.base, exclude: migration.exclude, guard, signal });
    await forgetCheckpoints(host, worktree, manifest, recorded.forgotten);
    await host.store.appendProgress(manifest.id, {
      time: recorded.at,
      agent: input.by,
      phase: recorded.phase,
      summary: `Rolled back to before step '${input.step}' (${recorded.base.slice(0, 12)})`,
    });
    await projectPlanFile(host, manifest.id);
    return { ...tallyOf(manifest), phase: recorded.phase, commit: recorded.base, undone: recorded.undone };
  });
}

/** Deletes the tags and files of checkpoints that the manifest no longer has. */
export async function forgetCheckpoints(
  host: Host,
  worktree: Worktree,
  manifest: Manifest,
  tags: readonly string[],
): Promise<void> {
  const present = new Map(
    (await listTags(worktree, manifest.branch ?? "")).map(({ name, commit }) => [name, commit]),
  );
  for (const tag of tags) {
    const expected = present.get(tag);
    if (expected !== undefined) await deleteTag({ repo: worktree, tag, expected });
    const step = stepOfCheckpointTag(tag);
    if (step !== null) await host.store.removeCheckpointFile(manifest.id, step);
  }
}
