import type { PlanView, ProgressView, StepView } from "../../model/messages.js";
import { PHASES, type Phase } from "../../model/phases.js";
import { printable } from "../printable.js";
import { renderWaiting } from "../render/progress.js";
import { duration } from "../render/time.js";

/** What one look at a migration saw. */
export interface Snapshot {
  readonly progress: ProgressView;
  readonly plan: PlanView;
}

const PHASE_EVENTS = {
  pending: "is pending again",
  in_progress: "started",
  completed: "completed",
  failed: "failed",
} as const;

function phaseEvents(before: Snapshot | null, after: Snapshot, phases: readonly Phase[]): string[] {
  return phases.flatMap((phase) => {
    const status = after.progress.phases[phase];
    const previous = before?.progress.phases[phase] ?? "pending";
    return status === previous ? [] : [`phase ${phase} ${PHASE_EVENTS[status]}`];
  });
}

/** The phases whose news come before those of the steps: up to `migrate`, which is begun before them and ends behind them. */
function phasesBeforeSteps({ progress }: Snapshot): readonly Phase[] {
  const { migrate } = progress.phases;
  const isOver = migrate === "completed" || migrate === "failed";
  return PHASES.slice(0, PHASES.indexOf("migrate") + (isOver ? 0 : 1));
}

function took(step: StepView): string {
  return step.durationMs > 0 ? ` in ${duration(step.durationMs)}` : "";
}

function remark(step: StepView): string {
  return step.note === "" ? "" : `: ${printable(step.note)}`;
}

const STEP_EVENTS: Readonly<Record<StepView["status"], (step: StepView) => string>> = {
  pending: () => "is pending again",
  in_progress: (step) => `started, attempt ${Math.max(1, step.attempts)}`,
  completed: (step) =>
    `completed${took(step)}${step.commit === null ? "" : ` (${step.commit.slice(0, 10)})`}${remark(step)}`,
  failed: (step) => `failed, attempt ${step.attempts}${remark(step)}`,
  skipped: (step) => `skipped${remark(step)}`,
};

function stepEvents(before: Snapshot | null, after: Snapshot): string[] {
  const known = new Map((before?.plan.recent ?? []).map((step) => [step.id, step]));
  return after.plan.recent
    .filter((step) => {
      const previous = known.get(step.id);
      if (previous === undefined) return step.status !== "pending";
      return (
        previous.status !== step.status ||
        (step.status !== "completed" && previous.attempts !== step.attempts)
      );
    })
    .map((step) => `step ${printable(step.id)} ${STEP_EVENTS[step.status](step)}`);
}

function currentEvents(before: Snapshot | null, after: Snapshot): string[] {
  const current = after.progress.steps.current;
  if (current === null) return [];
  const previous = before?.progress.steps.current ?? null;
  if (previous?.id === current.id && previous.attempt === current.attempt) return [];
  // A workflow that lists its running step in the plan has announced it already.
  if (after.plan.recent.some((step) => step.id === current.id && step.status === "in_progress")) return [];
  return [`step ${printable(current.id)} started, attempt ${current.attempt}`];
}

function waitingKey(snapshot: Snapshot | null): string {
  const waiting = snapshot?.progress.waiting ?? null;
  return waiting === null ? "" : JSON.stringify([waiting.kind, waiting.phase, waiting.step, waiting.message]);
}

function waitingEvents(before: Snapshot | null, after: Snapshot, now: Date): string[] {
  const key = waitingKey(after);
  if (key === "" || key === waitingKey(before)) return [];
  return renderWaiting(after.progress, now).filter((line) => line !== "");
}

/** The end of a wait is the cause of what comes with it, and so told before. */
function resumption(before: Snapshot | null, after: Snapshot): string[] {
  return waitingKey(before) !== "" && waitingKey(after) === "" ? ["goes on"] : [];
}

/**
 * What happened between two looks, a line each, in the order in which it can have happened.
 * @param before null at the first look: everything that happened so far is told
 */
export function eventsBetween(before: Snapshot | null, after: Snapshot, now: Date): string[] {
  const first = phasesBeforeSteps(after);
  return [
    ...resumption(before, after),
    ...phaseEvents(before, after, first),
    ...stepEvents(before, after),
    ...currentEvents(before, after),
    ...phaseEvents(before, after, PHASES.slice(first.length)),
    ...waitingEvents(before, after, now),
  ];
}
