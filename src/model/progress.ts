import type { Feature } from "./features.js";
import { stepOfCheckpointTag } from "./ids.js";
import { MigrationStatus, type Manifest } from "./manifest.js";
import { PHASES, type Phase } from "./phases.js";
import type { Plan } from "./plan.js";
import type { Seam } from "./seams.js";
import { isStepDone, summaryOf } from "./step-summary.js";
import { recordedSteps } from "./steps.js";
import { statusFromPhases, statusOf } from "./transitions.js";

/** What progress is told from besides the manifest; null where there is no readable file. */
export interface ProgressFacts {
  readonly features: readonly Feature[] | null;
  readonly plan: Plan | null;
  readonly seams: readonly Seam[] | null;
  /** The file of the last checkpoint, if it has one. */
  readonly lastCheckpoint: {
    readonly tag: string;
    readonly step_id: string;
    readonly created_at: string;
  } | null;
}

/** Where a migration stands (reference: migrations.md). Plain JSON. */
export interface Progress {
  readonly migration_id: string;
  readonly status: MigrationStatus;
  /** The phase in progress, else the last completed; `pending` where there is neither. */
  readonly current_phase: Phase | "pending";
  readonly phases: Manifest["phases"];
  readonly completed_phases: Phase[];
  readonly source: string;
  readonly target: string;
  readonly current_step: string | null;
  readonly features: { readonly passing: number; readonly total: number };
  /** `current` counts from 1 and is never above `total`. */
  readonly steps: { readonly current: number; readonly completed: number; readonly total: number };
  readonly last_checkpoint: {
    readonly tag: string;
    readonly step_id: string;
    readonly timestamp: string;
  } | null;
  readonly checkpoints_count: number;
  readonly seams: {
    readonly total: number;
    readonly high: number;
    readonly medium: number;
    readonly low: number;
  } | null;
}

/** Tells where a migration stands; step records of Towpath's own come before `migration-plan.json`. */
export function progressOf(manifest: Manifest, facts: ProgressFacts): Progress {
  const completed = PHASES.filter((phase) => statusOf(manifest, phase) === "completed");
  const steps = stepStates(manifest, facts.plan);
  const done = steps.filter((step) => step.done).length;
  const status = MigrationStatus.safeParse(manifest.status);
  return {
    migration_id: manifest.id,
    status: status.success ? status.data : statusFromPhases(manifest),
    current_phase: currentPhase(manifest),
    phases: manifest.phases,
    completed_phases: completed,
    source: manifest.source_info.url ?? manifest.source_info.path,
    target: manifest.target_info.target,
    current_step: steps.find((step) => step.running)?.id ?? null,
    features: {
      passing: facts.features?.filter((feature) => feature.passes).length ?? 0,
      total: facts.features?.length ?? 0,
    },
    steps: { current: Math.min(done + 1, steps.length), completed: done, total: steps.length },
    last_checkpoint: lastCheckpoint(manifest, facts),
    checkpoints_count: manifest.checkpoints.length,
    seams: facts.seams === null ? null : seamCounts(facts.seams),
  };
}

/** The phase in progress, else the last completed; `pending` where there is neither. */
export function currentPhase(manifest: Manifest): Phase | "pending" {
  const running = PHASES.find((phase) => statusOf(manifest, phase) === "in_progress");
  return running ?? PHASES.findLast((phase) => statusOf(manifest, phase) === "completed") ?? "pending";
}

interface StepState {
  readonly id: string;
  readonly done: boolean;
  readonly running: boolean;
}

function stepStates(manifest: Manifest, plan: Plan | null): StepState[] {
  const recorded = recordedSteps(manifest);
  if (recorded === null) {
    return (plan?.steps ?? []).map(({ id, status }) => ({
      id,
      done: status === "completed",
      running: status === "in_progress",
    }));
  }
  return recorded.map(({ id, record }) => ({
    id,
    done: isStepDone(record),
    running: record.status === "in_progress",
  }));
}

function lastCheckpoint(
  manifest: Manifest,
  { lastCheckpoint: file }: ProgressFacts,
): Progress["last_checkpoint"] {
  const tag = manifest.checkpoints.at(-1);
  if (tag === undefined) return null;
  if (file?.tag !== tag) return { tag, step_id: stepOfCheckpointTag(tag) ?? "", timestamp: "" };
  return { tag, step_id: file.step_id, timestamp: file.created_at };
}

function seamCounts(seams: readonly Seam[]): Progress["seams"] {
  const withPriority = (priority: string): number =>
    seams.filter((seam) => seam.priority === priority).length;
  return {
    total: seams.length,
    high: withPriority("high"),
    medium: withPriority("medium"),
    low: withPriority("low"),
  };
}

/**
 * How far a migration is, as a whole number from 0 to 100: each phase is a quarter, and the one in progress counts
 * by its done steps. 100 means that every phase is completed, nothing less.
 */
export function progressPercent(manifest: Manifest): number {
  const quarters = PHASES.map((phase) => {
    const status = statusOf(manifest, phase);
    if (status === "completed") return 1;
    return status === "pending" || status === "missing" ? 0 : doneShare(manifest, phase);
  });
  const percent = Math.floor((quarters.reduce((sum, quarter) => sum + quarter, 0) / PHASES.length) * 100);
  return PHASES.every((phase) => statusOf(manifest, phase) === "completed") ? 100 : Math.min(percent, 99);
}

function doneShare(manifest: Manifest, phase: Phase): number {
  const { total, done } = summaryOf(manifest.steps).phases[phase];
  return total === 0 ? 0 : done / total;
}
