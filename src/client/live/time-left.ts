import type { Manifest } from "../../model/manifest.js";
import { isTerminal } from "../../model/manifest.js";
import type { PlanView, ProgressView } from "../../model/messages.js";
import { recordedSteps } from "../../model/steps.js";

/** Fewer steps tell nothing about the others. */
const ENOUGH_STEPS = 2;

/** What a migration's directory, and those of earlier runs of the same spec, tell of its steps. */
export interface KnownSteps {
  /** Ids of all its steps, in the order in which they run. */
  readonly order: readonly string[];
  /** How long a step took when it was last completed, in ms. */
  readonly earlier: ReadonlyMap<string, number>;
}

/**
 * What is known of a migration's steps: earlier runs are those of the same name and target on the same project, which
 * an edited spec keeps.
 */
export function knownSteps(mine: Manifest, all: readonly Manifest[]): KnownSteps {
  const runs = all
    .filter((manifest) => manifest.created_at < mine.created_at && isSameSpec(manifest, mine))
    .sort((a, b) => (a.created_at < b.created_at ? -1 : 1));
  const earlier = new Map<string, number>();
  // The newest run comes last, and wins.
  for (const { id, record } of runs.flatMap((run) => recordedSteps(run) ?? []))
    if (record.status === "completed" && record.skipped === undefined) earlier.set(id, record.duration_ms);
  return { order: (recordedSteps(mine) ?? []).map(({ id }) => id), earlier };
}

function isSameSpec(a: Manifest, b: Manifest): boolean {
  return (
    a.mode === "spec" &&
    a.source_info.path === b.source_info.path &&
    a.target_info.target === b.target_info.target &&
    a.name === b.name
  );
}

/**
 * How long the steps that are left will take, in ms: each as long as in the newest earlier run or, where there is none,
 * as long as the steps so far on the average. Null where nobody can tell: too little is known, no step is left, or a
 * person is waited for.
 */
export function timeLeft(
  progress: ProgressView,
  plan: PlanView,
  now: Date,
  known: KnownSteps | null = null,
): number | null {
  const left = progress.steps.total - progress.steps.completed;
  if (left <= 0 || progress.waiting !== null || isTerminal(progress.status)) return null;
  const average = averageSoFar(plan);
  const expected = stepsLeft(plan, left, known).map((id) => known?.earlier.get(id) ?? average);
  const { current } = progress.steps;
  const total = expected.reduce<number | null>(plus, 0);
  if (total === null || current === null || current.startedAt === undefined) return total;
  // What the running step took longer than expected, the others do not take less.
  const its = known?.earlier.get(current.id) ?? average ?? 0;
  return total - Math.min(its, Math.max(0, now.getTime() - Date.parse(current.startedAt)));
}

function plus(sum: number | null, time: number | null): number | null {
  return sum === null || time === null ? null : sum + time;
}

function averageSoFar(plan: PlanView): number | null {
  const times = plan.recent.filter((step) => step.status === "completed").map((step) => step.durationMs);
  return times.length < ENOUGH_STEPS ? null : times.reduce((sum, time) => sum + time, 0) / times.length;
}

/** The steps that are left: of a long plan the workflow tells the newest only, and the order has those that come last. */
function stepsLeft(plan: PlanView, left: number, known: KnownSteps | null): string[] {
  const unnamed = Array.from({ length: left }, () => "");
  if (known === null || known.order.length !== plan.total) return unnamed;
  const done = new Set(
    plan.recent.filter(({ status }) => status === "completed" || status === "skipped").map(({ id }) => id),
  );
  return known.order.filter((id) => !done.has(id)).slice(-left);
}
