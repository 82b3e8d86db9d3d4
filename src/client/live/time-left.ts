import { isTerminal } from "../../model/manifest.js";
import type { PlanView, ProgressView } from "../../model/messages.js";

/** Fewer steps tell nothing about the others. */
const ENOUGH_STEPS = 2;

/**
 * How long the steps that are left will take, in ms, if they take what the others took on the average; null where
 * nobody can tell: too few steps are done, none is left, or a person is waited for.
 */
export function timeLeft(progress: ProgressView, plan: PlanView, now: Date): number | null {
  const left = progress.steps.total - progress.steps.completed;
  if (left <= 0 || progress.waiting !== null || isTerminal(progress.status)) return null;
  const times = plan.recent.filter((step) => step.status === "completed").map((step) => step.durationMs);
  if (times.length < ENOUGH_STEPS) return null;
  const average = times.reduce((sum, time) => sum + time, 0) / times.length;
  const startedAt = progress.steps.current?.startedAt;
  const spent = startedAt === undefined ? 0 : Math.max(0, now.getTime() - Date.parse(startedAt));
  return average * (left - 1) + Math.max(0, average - spent);
}
