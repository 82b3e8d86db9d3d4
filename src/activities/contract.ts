import type { AttemptFailure, MigrationStatus, Waiting } from "../model/manifest.js";
import type { ParamValue, RequirementsRequest, SpecEdition } from "../model/messages.js";
import type { Phase, PhaseStatus } from "../model/phases.js";
import type { RequirementsView } from "../model/requirements/decision.js";
import type { Tally } from "../model/tally.js";

/**
 * What the migration workflow asks of the host that holds the migration. Inputs and answers are small and plain:
 * ids, counts, digests and paths; never output, diffs or secrets. `operation` is made by the workflow, is the same
 * in every retry, and names the effect, so that a second execution finds the first one's.
 */
export interface MigrationActivities {
  createMigration(input: CreateMigration): Promise<void>;
  adoptMigration(input: AdoptMigration): Promise<Standing>;
  layWorkspace(input: { migrationId: string; operation: string }): Promise<Workspace>;
  runSetup(input: { migrationId: string }): Promise<PreparationResult>;
  decideRequirements(input: DecideRequirements): Promise<RequirementsView>;
  generateRequirements(input: GenerateRequirements): Promise<GenerationResult>;
  runBaseline(input: { migrationId: string; operation: string }): Promise<PreparationResult>;
  startPhase(input: PhaseOperation): Promise<PhaseOutline>;
  nextSteps(input: { migrationId: string; phase: Phase; limit: number }): Promise<StepOrder[]>;
  attemptStep(input: AttemptStep): Promise<AttemptResult>;
  tolerateFailure(input: StepOperation): Promise<void>;
  skipStep(input: StepOperation & { reason: string; by: string }): Promise<Tally>;
  rollbackTo(input: StepOperation & { by: string }): Promise<RollbackResult>;
  continueWithSpec(input: ContinueWithSpec): Promise<ContinuationResult>;
  checkGate(input: PhaseOperation): Promise<GateResult>;
  recordApproval(input: RecordApproval): Promise<ApprovalResult>;
  advancePhase(input: PhaseOperation & { by: string; tree: string | null }): Promise<AdvanceResult>;
  recordWaiting(input: RecordWaiting): Promise<void>;
  finishMigration(input: FinishMigration): Promise<FinishResult>;
}

export interface CreateMigration {
  readonly migrationId: string;
  readonly operation: string;
  readonly name: string;
  readonly target: string;
  readonly hostId: string;
  readonly source: string;
  readonly spec: { readonly fileName: string; readonly text: string } | null;
  readonly params: Readonly<Record<string, ParamValue>>;
  readonly allowHost: boolean;
  readonly author: { readonly name: string; readonly email: string };
}

/** A predecessor's migration that is taken over, where its directory lies. */
export type AdoptMigration = CreateMigration & { readonly startedBy: string };

/** Where an adopted migration stands. */
export interface Standing {
  readonly phase: Phase;
  readonly phases: Readonly<Record<Phase, PhaseStatus>>;
}

export interface Workspace {
  readonly branch: string;
  readonly baseCommit: string;
  /** That the migration's commands run in, and that are to be refreshed first; absent: none. */
  readonly images?: readonly string[];
}

export interface PreparationResult {
  readonly ok: boolean;
  /** Why not, or what was found, in one line. */
  readonly message: string;
}

export interface DecideRequirements {
  readonly migrationId: string;
  readonly operation: string;
  readonly prd: RequirementsRequest;
}

export interface GenerateRequirements {
  readonly migrationId: string;
  readonly operation: string;
}

export interface GenerationResult extends PreparationResult {
  /** The document that the migration uses now; null where the generator failed. */
  readonly requirements: RequirementsView | null;
}

export interface PhaseOperation {
  readonly migrationId: string;
  readonly phase: Phase;
  readonly operation: string;
}

export interface StepOperation {
  readonly migrationId: string;
  readonly step: string;
  readonly operation: string;
}

export interface PhaseOutline extends Tally {
  /** The spec says that a person advances this phase. */
  readonly manual: boolean;
}

/** A step that is to run next, and how often. */
export interface StepOrder {
  readonly id: string;
  /** Attempts already made; numbers are never used again, also after a rollback. */
  readonly attempts: number;
  readonly maxAttempts: number;
  readonly backoffMs: number;
  /** Upper bound of one attempt with everything that belongs to it. */
  readonly budgetMs: number;
  readonly continueOnError: boolean;
  readonly summary: string;
}

export interface AttemptStep extends StepOperation {
  readonly attempt: number;
  /** Higher whenever the workflow asks again: a later asking supersedes an earlier one that still runs somewhere. */
  readonly turn: number;
  /** What is attempted right behind it, in this order, as long as all goes well and quickly. */
  readonly following?: readonly FollowingStep[];
}

export type FollowingStep = Pick<AttemptStep, "step" | "attempt" | "operation">;

/** What an attempt came to. */
export type StepOutcome = { readonly durationMs: number } & (
  | { readonly outcome: "committed"; readonly commit: string }
  | { readonly outcome: "unchanged" | "not-needed" }
  | { readonly outcome: "failed"; readonly failure: AttemptFailure }
);

export type AttemptResult = Tally &
  StepOutcome & {
    /** One for each of the following steps that was attempted as well; only the last may have failed. */
    readonly following?: readonly StepOutcome[];
  };

/** What is told of an asking for several steps, when one behind the first lasts. */
export interface StepsUnderWay extends Tally {
  readonly turn: number;
  /** Of the steps before it, in their order. */
  readonly outcomes: readonly StepOutcome[];
}

export interface RollbackResult extends Tally {
  /** The phase of the step, which is in progress again. */
  readonly phase: Phase;
  readonly commit: string;
  readonly undone: string | null;
}

export interface ContinueWithSpec {
  readonly migrationId: string;
  readonly operation: string;
  readonly by: string;
  readonly spec: SpecEdition;
}

export interface ContinuationResult extends Tally {
  /** The phase that is in progress (again). */
  readonly phase: Phase;
  /** Where work goes on; null: at the phase's gate. */
  readonly step: string | null;
  readonly kept: number;
  readonly undone: string | null;
}

export interface GateResult {
  readonly open: boolean;
  /** At most 20, each one line. */
  readonly refusals: readonly string[];
  /** The committed tree that was checked. */
  readonly tree: string;
  readonly approval: ApprovalRule | null;
  /** What a person has to approve by name; in history at most 20, in the manifest all. */
  readonly exceptions?: { readonly count: number; readonly named: readonly string[] };
}

export interface ApprovalRule {
  readonly required: number;
  readonly timeoutMs: number | null;
  readonly onTimeout: "reject" | "pause";
}

export interface RecordApproval extends PhaseOperation {
  readonly tree: string;
  readonly verdict: "approved" | "rejected";
  readonly by: string;
  readonly comment: string;
}

export interface ApprovalResult {
  /** False when the branch no longer has the tree that was looked at. */
  readonly accepted: boolean;
  /** Everybody who approved this tree in this phase. */
  readonly approvedBy: readonly string[];
  readonly tree: string;
}

export type AdvanceResult =
  | { readonly advanced: true; readonly next: Phase | null }
  /** The branch has another tree than the one whose gate was open. */
  | { readonly advanced: false };

export interface RecordWaiting {
  readonly migrationId: string;
  readonly operation: string;
  readonly status: MigrationStatus;
  readonly waiting: Waiting | null;
}

export interface FinishMigration {
  readonly migrationId: string;
  readonly operation: string;
  readonly status: "completed" | "rejected" | "stopped";
  readonly reason: string;
}

export interface FinishResult {
  /** Steps that were ended behind others and not yet answered for are among them. */
  readonly tally?: Tally;
  readonly branch: string;
  readonly head: string;
  readonly report: string | null;
}
