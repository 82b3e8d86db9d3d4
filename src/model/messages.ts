import { z } from "zod";
import { HostAbsence } from "./hosts.js";
import { MigrationStatus, Waiting } from "./manifest.js";
import { Phase, PhaseStatus } from "./phases.js";
import { RequirementsView } from "./requirements/decision.js";
import { Sha256 } from "./requirements/documents.js";
import { TestsView } from "./tally.js";

/** Temporal's UI and the audit trail show it; it is a claim, not a proof. */
const Person = z.string().min(1).max(200);

const Percent = z.int().min(0).max(100);

export const ParamValue = z.union([z.string(), z.number(), z.boolean()]);
export type ParamValue = z.infer<typeof ParamValue>;

/** One step as the workflow shows it: what happened, never the output. */
export const StepView = z.object({
  id: z.string(),
  phase: Phase,
  status: z.enum(["pending", "in_progress", "completed", "failed", "skipped"]),
  attempts: z.int().nonnegative(),
  durationMs: z.number().nonnegative(),
  commit: z.string().nullable(),
  note: z.string(),
});
export type StepView = z.infer<typeof StepView>;

/** What a continued run takes over; everything else is read again from the migration's directory. */
export const CarriedState = z.object({
  phase: Phase,
  phases: z.record(Phase, PhaseStatus),
  operations: z.int().nonnegative(),
  paused: z.boolean(),
  /** False: the preparation may not have come to its end, and is looked at again. */
  prepared: z.boolean().optional(),
  completedSteps: z.int().nonnegative(),
  totalSteps: z.int().nonnegative(),
  percent: Percent,
  tests: TestsView,
  recentSteps: z.array(StepView),
  workspace: z.object({ branch: z.string(), baseCommit: z.string() }),
  startedAt: z.string(),
  requirements: RequirementsView.nullable().optional(),
});
export type CarriedState = z.infer<typeof CarriedState>;

/** What a start says about the requirements document. */
export const RequirementsRequest = z.object({
  /** The document that was given, which the client has persisted in the project; null: none was. */
  sha: Sha256.nullable(),
  /** Generate the document anew, whoever wrote the one that is there. */
  fresh: z.boolean(),
});
export type RequirementsRequest = z.infer<typeof RequirementsRequest>;

export const MigrationInput = z.object({
  migrationId: z.string(),
  name: z.string(),
  target: z.string(),
  /** The host whose data directory holds the migration. */
  hostId: z.string(),
  /** Real absolute path of the project, a git checkout or a folder of one; or the URL of a repository, cloned by the host. */
  source: z.string(),
  /** The text of the spec, at most 256 KiB; null is hands-on. Emptied once it is stored in the directory. */
  spec: z.object({ fileName: z.string(), text: z.string() }).nullable(),
  params: z.record(z.string(), ParamValue),
  /** A person advances every phase. */
  manual: z.boolean(),
  /** Somebody consented to running the spec's commands on the host. */
  allowHost: z.boolean(),
  author: z.object({ name: z.string(), email: z.string() }),
  startedBy: Person,
  prd: RequirementsRequest.nullable().optional(),
  /** The directory is a predecessor's and is taken over where it stands. */
  adopt: z.boolean().optional(),
  carried: CarriedState.optional(),
});
export type MigrationInput = z.infer<typeof MigrationInput>;

export const AdvanceRequest = z.object({ phase: z.string(), by: Person });
export type AdvanceRequest = z.infer<typeof AdvanceRequest>;
export interface AdvanceAnswer {
  readonly phase: Phase;
  readonly next: Phase | null;
}

export const ApproveRequest = z.object({ by: Person, comment: z.string().max(4000), tree: z.string() });
export type ApproveRequest = z.infer<typeof ApproveRequest>;
export interface ApproveAnswer {
  readonly phase: Phase;
  readonly approvedBy: readonly string[];
  readonly required: number;
}

export const RejectRequest = z.object({ by: Person, comment: z.string().max(4000) });
export type RejectRequest = z.infer<typeof RejectRequest>;
export interface RejectAnswer {
  readonly phase: Phase;
}

export const RollbackRequest = z.object({ step: z.string(), by: Person });
export type RollbackRequest = z.infer<typeof RollbackRequest>;
export interface RollbackAnswer {
  readonly step: string;
  readonly phase: Phase;
  readonly commit: string;
  /** Tag that keeps the undone head reachable; null where nothing was undone. */
  readonly undone: string | null;
}

/** An edited spec, with which a migration is to go on. */
export const SpecEdition = z.object({
  fileName: z.string(),
  /** At most 256 KiB. */
  text: z.string(),
  /** sha256 of the text. */
  digest: Sha256,
  /** Parameters as they were given; the others keep their values. */
  params: z.record(z.string(), z.string()),
  /** Somebody consented to running the spec's commands on the host. */
  allowHost: z.boolean(),
});
export type SpecEdition = z.infer<typeof SpecEdition>;

export const RetryRequest = z.object({ by: Person, spec: SpecEdition.optional() });
export type RetryRequest = z.infer<typeof RetryRequest>;
export interface RetryAnswer {
  /** What is tried again, in words. */
  readonly retried: string;
  /** With an edited spec: where work goes on, and what is kept. */
  readonly continued?: {
    readonly phase: Phase;
    /** null: at the phase's gate. */
    readonly step: string | null;
    /** How many finished steps are kept. */
    readonly kept: number;
    /** Tag that keeps the undone head reachable; null where nothing was undone. */
    readonly undone: string | null;
  };
}

export const SkipRequest = z.object({ step: z.string(), reason: z.string().min(1).max(4000), by: Person });
export type SkipRequest = z.infer<typeof SkipRequest>;
export interface SkipAnswer {
  readonly step: string;
}

export const StopRequest = z.object({ by: Person, reason: z.string().max(4000) });
export type StopRequest = z.infer<typeof StopRequest>;

/** The signal by which a host tells which of several steps it is at. */
export const STEPS_UNDER_WAY = "stepsUnderWay";

/** Answer of the `progress` query. */
export const ProgressView = z.object({
  migrationId: z.string(),
  name: z.string(),
  target: z.string(),
  source: z.string(),
  hostId: z.string(),
  branch: z.string(),
  mode: z.enum(["spec", "hands-on"]),
  status: MigrationStatus,
  phase: Phase,
  phases: z.record(Phase, PhaseStatus),
  steps: z.object({
    completed: z.int().nonnegative(),
    total: z.int().nonnegative(),
    current: z
      .object({ id: z.string(), attempt: z.int().positive(), startedAt: z.string().optional() })
      .nullable(),
  }),
  percent: Percent,
  tests: TestsView,
  waiting: Waiting.nullable(),
  /** Why it ended as it did; null while it goes on. */
  outcome: z.string().nullable().optional(),
  /** Its host is away, and nothing goes on until it is back; null: it is there, as far as the migration was told. */
  absentHost: HostAbsence.nullable().optional(),
  startedAt: z.string(),
  /** null: nothing is decided yet. */
  requirements: RequirementsView.nullable().optional(),
});
export type ProgressView = z.infer<typeof ProgressView>;

/** Answer of the `plan` query: the newest steps only; the whole plan is in the migration's directory. */
export interface PlanView {
  readonly completed: number;
  readonly total: number;
  readonly recent: readonly StepView[];
}

/** Answer of the `gates` query: what the last check of each gate found. */
export interface GateView {
  readonly phase: Phase;
  readonly open: boolean;
  readonly refusals: readonly string[];
  readonly tree: string;
}

export interface MigrationResult {
  readonly migrationId: string;
  readonly status: MigrationStatus;
  readonly branch: string;
  readonly head: string;
  /** Path of the verification report below the migration's directory; null where there is none. */
  readonly report: string | null;
}
