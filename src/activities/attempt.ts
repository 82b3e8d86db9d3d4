import { createHash } from "node:crypto";
import type { Worktree } from "../adapters/git/places.js";
import type { Pristine } from "../adapters/git/pristine.js";
import { createCheckpointTag, deleteTag } from "../adapters/git/refs.js";
import { advanceBranch } from "../adapters/git/settle.js";
import { undo } from "../adapters/git/undo.js";
import { beginAttempt, completeStep, failAttempt, passOverStep, refuseLate } from "../model/attempts.js";
import { TowpathError } from "../model/errors.js";
import { checkpointTag } from "../model/ids.js";
import { headOf, type AttemptFailure, type Lease, type StepRecord } from "../model/manifest.js";
import { conditionHolds } from "../model/spec/expressions.js";
import { stepDefinition } from "../model/spec/definition.js";
import { type ResolvedStep, resolveStep } from "../model/spec/resolve.js";
import { tallyOf } from "../model/tally.js";
import { stepRecord } from "../model/steps.js";
import { hasSurvived, type KeptCommand } from "./containers.js";
import type { AttemptResult, AttemptStep, StepOutcome } from "./contract.js";
import { execution } from "./heartbeat.js";
import { type Host, openSpecMigration, scopeOf, type SpecMigration } from "./host.js";
import { type KnownWorktree, rememberWorktree, takeKnownWorktree } from "./known-worktrees.js";
import { carryOut, type StepWork } from "./step-work.js";
import { cleanWorktree, openWorktree, standing } from "./workspace.js";
import { ensureSetup } from "./preparation.js";
import { allDone } from "./all-done.js";

interface Attempt {
  readonly host: Host;
  readonly migration: SpecMigration;
  readonly step: ResolvedStep;
  readonly lease: Lease;
  /** Names the effects of this execution alone. */
  readonly operation: string;
  readonly worktree: Worktree;
  readonly base: string;
  /** What is known of the worktree; null until it was looked at. */
  readonly pristine: Pristine | null;
  /** A container of a lost worker goes on with it: the worktree is as that left it. */
  readonly resumed: boolean;
  /** Throws once another execution has taken the step over. */
  readonly guard: () => Promise<void>;
  readonly signal: AbortSignal;
}

/**
 * One attempt of one step: checkpoint → change → scope → verify → commit, or everything undone. It may be started any
 * number of times: a completed step answers what it answered, an interrupted one is undone and run again, and an
 * execution that was superseded while it slept can no longer write.
 */
export async function attempt(
  host: Host,
  input: Omit<AttemptStep, "following">,
  signal: AbortSignal,
): Promise<AttemptResult> {
  const migration = await openSpecMigration(host, input.migrationId);
  const step = resolveStep(migration.spec, input.step);
  const record = stepRecord(migration.manifest, input.step);
  const lease = { step: step.id, attempt: input.attempt, turn: input.turn, execution: execution() };
  refuseLate(migration.manifest, lease);
  const survivor = await survivorOf(host, migration, step, record, input.attempt);
  const known = survivor === null ? await takeKnownWorktree(host, migration, signal) : null;
  const worktree = known?.worktree ?? (await openWorktree(host, migration.manifest, signal, survivor));
  if (record?.attempts === input.attempt && (record.status === "completed" || record.status === "failed")) {
    return answerAgain(host, migration, worktree, record, signal);
  }
  if (!conditionHolds(step.condition ?? "true", scopeOf(migration, step.env))) {
    return passOver(host, migration, input, known);
  }
  let pristine = known?.pristine ?? null;
  // What an interrupted attempt left is undone; what a person left is kept first.
  if (pristine === null && record?.status !== "in_progress") {
    pristine = await cleanWorktree(host, migration, worktree, input.operation, signal);
  }
  const base = headOf(migration.manifest);
  const operation = `${input.operation}/${lease.turn}.${lease.execution}`;
  const guard = standing(host, migration.id, { lease, head: base });
  const begun = Date.now();
  const resumed = survivor !== null;
  const beginning = {
    host,
    migration,
    step,
    lease,
    operation,
    worktree,
    base,
    pristine,
    resumed,
    guard,
    signal,
  };
  await begin(beginning);
  const attempted = { ...beginning, pristine: resumed ? null : await prepare(beginning) };
  const [outcome] = await allDone(carryOut(attempted), fileCheckpoint(beginning));
  const durationMs = Date.now() - begun;
  return outcome.ok
    ? succeed(attempted, outcome.work, durationMs)
    : fail(attempted, outcome.failure, durationMs);
}

/** The command of this very attempt that goes on, or ended, in a container while nobody looked after it. */
async function survivorOf(
  host: Host,
  migration: SpecMigration,
  { action, container, id }: ResolvedStep,
  record: StepRecord | undefined,
  attemptNumber: number,
): Promise<KeptCommand | null> {
  if (record?.status !== "in_progress" || record.attempts !== attemptNumber) return null;
  if (container === null || action.kind === "survey") return null;
  const kept = { place: { owner: id, attempt: attemptNumber }, command: action.kind };
  return (await hasSurvived(host, migration, kept.place, kept.command)) ? kept : null;
}

/** The worktree at the checkpoint and set up. @returns what is known of it then */
async function prepare(attempted: Attempt): Promise<Pristine | null> {
  const { host, migration, step, worktree, signal } = attempted;
  const isRestored = attempted.pristine !== null && !step.cleanIgnored;
  const pristine = isRestored ? attempted.pristine : await restore(attempted);
  return (await ensureSetup(host, migration, worktree, signal)) ? null : pristine;
}

/** Tag, then record; a tag whose record could not be written is deleted again. */
async function begin({
  host,
  migration,
  step,
  lease,
  operation,
  worktree,
  base,
  signal,
}: Attempt): Promise<void> {
  const tag = checkpointTag(migration.id, step.id);
  const made = await createCheckpointTag({ repo: worktree, tag, commit: base, signal });
  const definition = createHash("sha256").update(stepDefinition(migration.spec, step.id)).digest("hex");
  const now = host.now();
  try {
    await host.store.updateManifest(migration.id, `${operation}/begin`, (manifest) => ({
      manifest: beginAttempt(manifest, { ...lease, base, definition, now }),
      result: null,
    }));
  } catch (error) {
    // A tag that is recorded all the same is that of the execution which has taken over.
    const { checkpoints } = await host.store.readManifest(migration.id);
    if (made === "created" && !checkpoints.includes(tag)) {
      await deleteTag({ repo: worktree, tag, expected: base });
    }
    throw error;
  }
}

/** For people and other tools, beside the tag and the record, and beside the work that it has no part in. */
async function fileCheckpoint({ host, migration, step, base }: Attempt): Promise<void> {
  await host.store.writeCheckpointFile(migration.id, {
    step_id: step.id,
    tag: checkpointTag(migration.id, step.id),
    commit: base,
    created_at: host.now().toISOString(),
  });
}

async function restore({ migration, step, worktree, base, guard }: Attempt): Promise<Pristine | null> {
  const { exclude } = migration;
  return undo({ worktree, commit: base, exclude, cleanIgnored: step.cleanIgnored, guard });
}

/** Once recorded the step is completed; moving the branch to its commit is done again by whoever finds it not moved. */
async function succeed(attempted: Attempt, work: StepWork, durationMs: number): Promise<AttemptResult> {
  const { host, migration, lease, operation, worktree, base } = attempted;
  const now = host.now();
  const { manifest } = await host.store.updateManifest(migration.id, `${operation}/complete`, (current) => ({
    manifest: completeStep(current, lease, {
      ...(work.commit === null ? {} : { commit: work.commit }),
      tree: work.tree,
      durationMs,
      ...(work.report === null ? {} : { report: work.report }),
      ...(work.tests === null ? {} : { tests: work.tests }),
      ...(work.outputs === null ? {} : { outputs: work.outputs }),
      now,
    }),
    result: null,
  }));
  const head = work.commit ?? base;
  const guard = standing(host, migration.id, { lease: null, head });
  const { exclude } = migration;
  const { from, expected } = work;
  const pristine = await advanceBranch({ worktree, from, to: head, expected, exclude, guard });
  rememberWorktree(host, manifest, worktree, pristine);
  return { ...tallyOf(manifest), durationMs, ...outcomeOf(work.commit) };
}

async function fail(attempted: Attempt, failure: AttemptFailure, durationMs: number): Promise<AttemptResult> {
  const { host, migration, lease, operation, worktree } = attempted;
  const pristine = await restore(attempted);
  const { manifest } = await host.store.updateManifest(migration.id, `${operation}/fail`, (current) => ({
    manifest: failAttempt(current, lease, failure, durationMs),
    result: null,
  }));
  rememberWorktree(host, manifest, worktree, pristine);
  return { ...tallyOf(manifest), durationMs, outcome: "failed", failure };
}

async function passOver(
  host: Host,
  migration: SpecMigration,
  input: Pick<AttemptStep, "step" | "operation">,
  known: KnownWorktree | null,
): Promise<AttemptResult> {
  const { manifest } = await host.store.updateManifest(
    migration.id,
    `${input.operation}/pass-over`,
    (current) => ({
      manifest: passOverStep(current, input.step, "its condition does not hold", host.now()),
      result: null,
    }),
  );
  if (known !== null) rememberWorktree(host, manifest, known.worktree, known.pristine);
  return { ...tallyOf(manifest), durationMs: 0, outcome: "not-needed" };
}

/** The answer of an execution that ended the attempt but did not live to tell. */
async function answerAgain(
  host: Host,
  migration: SpecMigration,
  worktree: Worktree,
  record: StepRecord,
  signal: AbortSignal,
): Promise<AttemptResult> {
  const { manifest, exclude } = migration;
  const head = headOf(manifest);
  const guard = standing(host, migration.id, { lease: null, head });
  await undo({ worktree, commit: head, exclude, guard, signal });
  return { ...tallyOf(manifest), ...recordedOutcome(record) };
}

/**
 * What an ended attempt came to, as its step's record has it.
 * @throws TowpathError `StateCorrupt`
 */
export function recordedOutcome(record: StepRecord): StepOutcome {
  const { duration_ms: durationMs, failure } = record;
  if (record.status === "completed") return { durationMs, ...outcomeOf(record.commit ?? null) };
  if (record.skipped !== undefined) return { durationMs, outcome: "not-needed" };
  if (failure !== undefined) return { durationMs, outcome: "failed", failure };
  throw new TowpathError("StateCorrupt", "A step that has ended records neither its commit nor its failure");
}

function outcomeOf(
  commit: string | null,
): { outcome: "committed"; commit: string } | { outcome: "unchanged" } {
  return commit === null ? { outcome: "unchanged" } : { outcome: "committed", commit };
}
