import { TowpathError } from "./errors.js";
import { checkpointTag } from "./ids.js";
import type { AttemptFailure, Lease, Manifest, StepRecord } from "./manifest.js";
import { PHASES, type Phase } from "./phases.js";
import type { TestCounts } from "./reports/report.js";
import { stepRecord, withStepRecord } from "./steps.js";
import { forgetCheckpoints, recordCheckpoint } from "./transitions.js";

export interface AttemptBegin extends Lease {
  /** The commit that the step starts from. */
  readonly base: string;
  /** Digest of the definition that is run. */
  readonly definition: string;
  readonly now: Date;
}

/** Where the migration stands as long as nobody but a certain execution works on it. */
export interface Standing {
  /** Null between the attempts. */
  readonly lease: Lease | null;
  /** The commit that the branch was left on. */
  readonly head: string;
}

/**
 * Refuses an execution that another one has taken over from while it slept: what it still wants to do would be done to
 * its successor's work.
 * @throws TowpathError `LeaseLost`
 */
export function requireStanding(manifest: Manifest, { lease, head }: Standing): void {
  const isHeld = lease === null ? (manifest.lease ?? null) === null : isSameLease(manifest.lease, lease);
  if (isHeld && (manifest.head ?? manifest.base_commit) === head) return;
  if (lease !== null) throw leaseLost(lease);
  throw new TowpathError(
    "LeaseLost",
    `The migration ${manifest.id} has moved on from ${head} while this execution slept; it writes nothing`,
  );
}

/**
 * Refuses an execution that was delivered late (its worker stood still with the task in its hands): what it would end
 * and undo before it begins is its successor's.
 * @throws TowpathError `LeaseLost`
 */
export function refuseLate(manifest: Manifest, late: Lease): void {
  const record = stepRecord(manifest, late.step);
  if (record === undefined) return;
  const { status, attempts } = record;
  const lease = manifest.lease ?? null;
  const isEnded = attempts === late.attempt && (status === "completed" || status === "failed");
  const isOvertaken = lease !== null && (isEnded || isLater(lease, late));
  const hasMovedOn = isEnded && (manifest.head ?? manifest.base_commit) !== (record.commit ?? record.base);
  if (isOvertaken || hasMovedOn || attempts > late.attempt) throw leaseLost(late);
}

/**
 * Of steps that are asked for together: how many at the front need no more than their recorded answer, because an
 * earlier execution of the same asking went on behind them. The last that it ended counts only if the next was begun:
 * its end may be half done.
 */
export function countLeftBehind(
  manifest: Manifest,
  asked: readonly Pick<Lease, "step" | "attempt">[],
  turn: number,
): number {
  const firstOpen = asked.findIndex((order) => !hasEnded(manifest, order));
  const ended = firstOpen === -1 ? asked.length : firstOpen;
  const lease = manifest.lease ?? null;
  const isNextBegun = lease !== null && lease.turn === turn && lease.step === asked[ended]?.step;
  return isNextBegun ? ended : Math.max(ended - 1, 0);
}

function hasEnded(manifest: Manifest, { step, attempt }: Pick<Lease, "step" | "attempt">): boolean {
  const record = stepRecord(manifest, step);
  if (record === undefined) return false;
  if (record.skipped !== undefined) return true;
  return record.attempts === attempt && (record.status === "completed" || record.status === "failed");
}

/** What a step came to, as the record of its completion has it. */
export interface StepCompletion {
  /** Absent where the step changed nothing. */
  readonly commit?: string;
  readonly tree: string;
  readonly durationMs: number;
  readonly report?: string;
  readonly tests?: TestCounts;
  readonly outputs?: Record<string, string>;
  readonly now: Date;
}

/**
 * Takes the lease for an execution of an attempt and records the step's checkpoint. From here on every older
 * execution has lost the right to write.
 * @throws TowpathError `LeaseLost` when a newer execution or attempt has it already
 */
export function beginAttempt(manifest: Manifest, begin: AttemptBegin): Manifest {
  const { step, attempt, turn, execution, base, definition, now } = begin;
  const record = expectRecord(manifest, step);
  refuseSuperseded(manifest, record, begin);
  const begun: StepRecord = {
    ...record,
    status: "in_progress",
    attempts: attempt,
    started_at: record.attempts === attempt ? record.started_at : now.toISOString(),
    base,
    definition,
  };
  const marked = recordCheckpoint(withStepRecord(manifest, step, begun), checkpointTag(manifest.id, step));
  return { ...marked, lease: { step, attempt, turn, execution }, status: "in_progress", waiting_for: null };
}

/**
 * Completes a step under its lease: from here on the step's commit is part of the migration, even if the branch has
 * not been moved to it yet.
 * @throws TowpathError `LeaseLost`
 */
export function completeStep(manifest: Manifest, lease: Lease, completion: StepCompletion): Manifest {
  const { commit, tree, durationMs, report, tests, outputs, now } = completion;
  const { failure: _, ...record } = expectLease(manifest, lease);
  const completed: StepRecord = {
    ...record,
    status: "completed",
    completed_at: now.toISOString(),
    duration_ms: durationMs,
    tree,
    ...(commit === undefined ? {} : { commit }),
    ...(report === undefined ? {} : { report }),
    ...(tests === undefined ? {} : { tests }),
    ...(outputs === undefined ? {} : { outputs }),
  };
  const head = commit ?? manifest.head;
  return {
    ...withStepRecord(manifest, lease.step, completed),
    lease: null,
    ...(head === undefined ? {} : { head }),
  };
}

/**
 * Records that an attempt failed, under its lease, after it was undone.
 * @throws TowpathError `LeaseLost`
 */
export function failAttempt(
  manifest: Manifest,
  lease: Lease,
  failure: AttemptFailure,
  durationMs: number,
): Manifest {
  const record = expectLease(manifest, lease);
  const failed: StepRecord = { ...record, status: "failed", duration_ms: durationMs, failure };
  return { ...withStepRecord(manifest, lease.step, failed), lease: null };
}

/** A step whose condition does not hold: it is done without having run. */
export function passOverStep(manifest: Manifest, step: string, reason: string, now: Date): Manifest {
  return skipStep(manifest, step, { reason, by: "towpath" }, now);
}

/**
 * Records that somebody decided to go on without a step.
 * @throws TowpathError `StepNotFound` | `WrongStatus` when the step is completed
 */
export function skipStep(
  manifest: Manifest,
  step: string,
  { reason, by }: { reason: string; by: string },
  now: Date,
): Manifest {
  const record = expectRecord(manifest, step);
  if (record.status === "completed") {
    throw new TowpathError("WrongStatus", `Cannot skip step '${step}': it is completed`);
  }
  const at = now.toISOString();
  const skipped: StepRecord = {
    ...record,
    status: record.status === "in_progress" ? "failed" : record.status,
    completed_at: at,
    skipped: { reason, by, at },
  };
  return { ...withStepRecord(manifest, step, skipped), lease: null };
}

/**
 * Records that a failed step may stay failed, as its definition says.
 * @throws TowpathError `StepNotFound`
 */
export function tolerateFailure(manifest: Manifest, step: string): Manifest {
  return withStepRecord(manifest, step, { ...expectRecord(manifest, step), tolerated: true });
}

export interface Rollback {
  readonly manifest: Manifest;
  readonly phase: Phase;
  readonly base: string;
  /** Checkpoints of the later steps, which are forgotten. */
  readonly forgotten: readonly string[];
}

/**
 * Sets a step and every later one back to pending. Attempts keep their numbers: none is ever used twice. The step's
 * phase is in progress again and the later ones are pending.
 * @throws TowpathError `StepNotFound` | `CheckpointNotFound` when the step was never begun
 */
export function rollBackTo(manifest: Manifest, step: string, undoneTag: string | null, now: Date): Rollback {
  const record = expectRecord(manifest, step);
  const { phase, base } = record;
  if (base === undefined || !manifest.checkpoints.includes(checkpointTag(manifest.id, step))) {
    throw new TowpathError(
      "CheckpointNotFound",
      `There is no checkpoint of step '${step}': it has not been begun`,
    );
  }
  const order = manifest.step_order ?? Object.keys(manifest.steps ?? {});
  const undone = order.slice(order.indexOf(step));
  const steps = { ...manifest.steps };
  for (const id of undone) steps[id] = pendingAgain(expectRecord(manifest, id));
  const made = new Set(manifest.checkpoints);
  const forgotten = undone
    .slice(1)
    .map((id) => checkpointTag(manifest.id, id))
    .filter((tag) => made.has(tag));
  const rewound = {
    ...forgetCheckpoints(manifest, forgotten),
    steps,
    phases: rewindPhases(manifest, phase, now),
    gates: Object.fromEntries(Object.entries(manifest.gates ?? {}).filter(([gate]) => isBefore(gate, phase))),
    head: base,
    lease: null,
    waiting_for: null,
    status: "in_progress",
    ...(undoneTag === null ? {} : { undone: [...(manifest.undone ?? []), undoneTag] }),
  };
  return { manifest: rewound, phase, base, forgotten };
}

function isBefore(name: string, phase: Phase): boolean {
  return PHASES.findIndex((known) => known === name) < PHASES.indexOf(phase);
}

/** The phases with one in progress again and all behind it pending. */
export function rewindPhases(manifest: Manifest, phase: Phase, now: Date): Manifest["phases"] {
  const phases = { ...manifest.phases };
  for (const later of PHASES.slice(PHASES.indexOf(phase))) {
    phases[later] = { ...phases[later], status: "pending", started_at: "", completed_at: "" };
  }
  const started_at = manifest.phases[phase]?.started_at || now.toISOString();
  phases[phase] = { ...phases[phase], status: "in_progress", started_at, completed_at: "" };
  return phases;
}

/** Keeps how often a step was attempted and where it started; forgets what it came to. */
function pendingAgain(record: StepRecord): StepRecord {
  const { phase, attempts, base } = record;
  return {
    phase,
    status: "pending",
    attempts,
    started_at: "",
    completed_at: "",
    duration_ms: 0,
    ...(base === undefined ? {} : { base }),
  };
}

function refuseSuperseded(manifest: Manifest, record: StepRecord, begin: AttemptBegin): void {
  const { lease } = manifest;
  const isOver = record.attempts === begin.attempt && record.status !== "in_progress";
  const isNewer = record.attempts > begin.attempt || (lease?.step === begin.step && isLater(lease, begin));
  if (isNewer || isOver || record.status === "completed") throw leaseLost(begin);
}

function isLater(one: Lease, other: Lease): boolean {
  if (one.turn !== other.turn) return one.turn > other.turn;
  return one.execution > other.execution;
}

function isSameLease(held: Manifest["lease"], lease: Lease): boolean {
  return (
    held?.step === lease.step &&
    held.attempt === lease.attempt &&
    held.turn === lease.turn &&
    held.execution === lease.execution
  );
}

function expectLease(manifest: Manifest, lease: Lease): StepRecord {
  if (!isSameLease(manifest.lease, lease)) throw leaseLost(lease);
  return expectRecord(manifest, lease.step);
}

function leaseLost({ step, attempt, execution }: Lease): TowpathError {
  return new TowpathError(
    "LeaseLost",
    `Attempt ${attempt} of step '${step}' (execution ${execution}) has been superseded and writes nothing`,
  );
}

function expectRecord(manifest: Manifest, step: string): StepRecord {
  const record = stepRecord(manifest, step);
  if (record === undefined) {
    throw new TowpathError("StepNotFound", `There is no step '${step}' in migration ${manifest.id}`);
  }
  return record;
}
