import { z } from "zod";
import { TowpathError } from "./errors.js";
import { Json } from "./json.js";
import { Phase, PhaseStatus } from "./phases.js";
import { TestCounts } from "./reports/report.js";
import { RequirementsView } from "./requirements/decision.js";

/** ISO-8601 UTC, or "" for a moment that has not come. */
const Time = z.string();

const CommitId = z.string().regex(/^[0-9a-f]{40}([0-9a-f]{24})?$/);

export const MigrationStatus = z.enum([
  "in_progress",
  "waiting",
  "paused",
  "completed",
  "failed",
  "rejected",
  "stopped",
]);
export type MigrationStatus = z.infer<typeof MigrationStatus>;

/** The statuses that a migration never leaves. */
export const TERMINAL_STATUSES = ["completed", "failed", "rejected", "stopped"] as const;

/** True when nothing more will happen to a migration of this status. */
export function isTerminal(status: MigrationStatus): boolean {
  return TERMINAL_STATUSES.some((terminal) => terminal === status);
}

export const PhaseRecord = z.looseObject({
  status: PhaseStatus,
  started_at: Time.default(""),
  completed_at: Time.default(""),
});
export type PhaseRecord = z.infer<typeof PhaseRecord>;

/** Why an attempt failed; the complete output is in the attempt's log. */
export const AttemptFailure = z.looseObject({
  kind: z.enum([
    "command",
    "timeout",
    "idle-timeout",
    "verify",
    "scope",
    "report",
    "worker-lost",
    "conflict",
  ]),
  message: z.string(),
  /** Path of the log below the migration's directory. */
  log: z.string().optional(),
  files: z.array(z.string()).optional(),
});
export type AttemptFailure = z.infer<typeof AttemptFailure>;

/** What Towpath itself knows of a step; its definition is the spec's. */
export const StepRecord = z.looseObject({
  phase: Phase,
  status: z.enum(["pending", "in_progress", "completed", "failed"]),
  attempts: z.int().nonnegative().default(0),
  started_at: Time.default(""),
  completed_at: Time.default(""),
  duration_ms: z.number().nonnegative().default(0),
  /** The commit that the step started from: its checkpoint. */
  base: CommitId.optional(),
  /** The step's own commit; absent where it changed nothing. */
  commit: CommitId.optional(),
  /** The tree behind the step, whether it changed something or not. */
  tree: CommitId.optional(),
  /** Digest of the resolved definition that was run. */
  definition: z.string().optional(),
  /** The file below `reports/` that the step's test report was read into. */
  report: z.string().optional(),
  /** What that report counts. */
  tests: TestCounts.optional(),
  outputs: z.record(z.string(), z.string()).optional(),
  skipped: z.looseObject({ reason: z.string(), by: z.string(), at: Time }).optional(),
  /** The step failed and its definition says `continue-on-error`. */
  tolerated: z.boolean().optional(),
  failure: AttemptFailure.optional(),
});
export type StepRecord = z.infer<typeof StepRecord>;

/** The one execution of the one attempt that may write now. A worker that holds an older one has been superseded. */
export const Lease = z.object({
  step: z.string(),
  attempt: z.int().positive(),
  /** The workflow's count of the times that it asked for something: Temporal counts executions anew for each. */
  turn: z.int().nonnegative().default(0),
  /** Temporal's count of the activity's executions: raised when a worker died or stopped answering. */
  execution: z.int().positive(),
});
export type Lease = z.infer<typeof Lease>;

export const Approval = z.looseObject({
  phase: Phase,
  verdict: z.enum(["approved", "rejected"]),
  by: z.string(),
  at: Time,
  comment: z.string().default(""),
  /** The tree that was looked at. */
  tree: CommitId,
  /** What the gate did not hold and the person approved all the same, by name. */
  exceptions: z.array(z.string()).optional(),
  /** It was given under a spec that has been edited since: it counts no more. */
  superseded: z.boolean().optional(),
});
export type Approval = z.infer<typeof Approval>;

/** What a migration needs from a person before it goes on. */
export const Waiting = z.object({
  kind: z.enum([
    "advance",
    "approval",
    "step-failed",
    "gate-closed",
    "preparation-failed",
    "blocked",
    "paused",
  ]),
  phase: Phase,
  step: z.string().optional(),
  message: z.string(),
  since: Time,
  /** With `approval`: the tree that is to be approved, and how many people must. */
  tree: z.string().optional(),
  required: z.int().positive().optional(),
  approved_by: z.array(z.string()).optional(),
  /** With `approval` under a timeout: when it runs out. */
  until: Time.optional(),
});
export type Waiting = z.infer<typeof Waiting>;

/** What one run of a gate found. */
export const GateRecord = z.looseObject({
  open: z.boolean(),
  checked_at: Time,
  tree: z.string(),
  refusals: z.array(z.string()),
  /** What was looked at and held: for the verification report. */
  evidence: z.array(z.string()).default([]),
  /** Tests that are skipped anew, by identity: whoever approves approves each of them. */
  exceptions: z.array(z.string()).default([]),
  /** How often this gate has been checked. */
  check: z.int().nonnegative().default(0),
});
export type GateRecord = z.infer<typeof GateRecord>;

/**
 * A migration's state (reference: migrations.md). Times are ISO-8601 UTC. Keys that Towpath does not know are kept.
 * The upper block is the predecessor's format; the lower one is Towpath's own.
 */
export const Manifest = z.looseObject({
  id: z.string(),
  created_at: Time,
  source_info: z.looseObject({
    path: z.string(),
    type: z.string().default("unknown"),
    /** The remote that `path` is a clone of. */
    url: z.string().optional(),
  }),
  target_info: z.looseObject({
    target: z.string(),
    options: z.record(z.string(), Json).default({}),
  }),
  phases: z.partialRecord(Phase, PhaseRecord),
  feature_list_path: z.string().default(""),
  migration_plan_path: z.string().default(""),
  checkpoints: z.array(z.string()).default([]),
  status: z.string().default("in_progress"),
  progress_pct: z.number().min(0).max(100).default(0),
  updated_at: Time.default(""),
  source_path: z.string().default(""),

  /** Raised by one with every write. */
  revision: z.int().nonnegative().default(0),
  mode: z.enum(["spec", "hands-on"]).optional(),
  name: z.string().optional(),
  host_id: z.string().optional(),
  branch: z.string().optional(),
  base_commit: CommitId.optional(),
  /** The commit that Towpath left the branch on. */
  head: CommitId.optional(),
  /** Absolute path of the migration's worktree; the project may be a folder of it. */
  worktree: z.string().optional(),
  project_prefix: z.string().optional(),
  /** The worktree, as git knows it, in which `workspace.setup` has run. */
  prepared: z.string().optional(),
  /** Somebody consented to running the spec's commands on the host. */
  allow_host: z.boolean().optional(),
  /** Who the commits are by. */
  author: z.object({ name: z.string(), email: z.string() }).optional(),
  /** sha256 of the stored spec's bytes. */
  spec_digest: z.string().optional(),
  /** Ids of the steps in the order in which they run. */
  step_order: z.array(z.string()).optional(),
  steps: z.record(z.string(), StepRecord).optional(),
  /** How often steps were attempted that an edited spec no longer has. */
  past_attempts: z.record(z.string(), z.int().nonnegative()).optional(),
  lease: Lease.nullable().optional(),
  waiting_for: Waiting.nullable().optional(),
  approvals: z.array(Approval).optional(),
  gates: z.partialRecord(Phase, GateRecord).optional(),
  /** Tags that keep undone heads reachable. */
  undone: z.array(z.string()).optional(),
  baseline: z
    .looseObject({
      report: z.string(),
      tests: z.int().nonnegative(),
      failures: z.int().nonnegative(),
      counts: TestCounts.optional(),
    })
    .optional(),
  /** What was decided about the requirements document, and which one the migration uses. */
  requirements: RequirementsView.loose().optional(),
  /** When a predecessor's migration was taken over, and where it said that the codebase is. */
  adopted: z.looseObject({ at: Time, source_path: z.string() }).optional(),
  /** Why the migration ended as it did. */
  outcome: z.string().optional(),
});
export type Manifest = z.infer<typeof Manifest>;

/**
 * The commit that Towpath left the branch on.
 * @throws TowpathError `StateCorrupt` when none is recorded
 */
export function headOf({ id, head, base_commit: base }: Manifest): string {
  const commit = head ?? base;
  if (commit !== undefined) return commit;
  throw new TowpathError("StateCorrupt", `The manifest of ${id} records no base commit`);
}
