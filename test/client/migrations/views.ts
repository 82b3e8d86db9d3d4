import type { PlanView, ProgressView, StepView } from "../../../src/model/messages.js";

/** A migration in the middle of `migrate`, with whatever a test changes about it. */
export function progressView(changes: Partial<ProgressView> = {}): ProgressView {
  return {
    migrationId: "mig_20260101_000000_app-aaaaaa",
    name: "app",
    target: "python3",
    source: "/projects/app",
    hostId: "box-01234567",
    branch: "towpath/mig_20260101_000000_app-aaaaaa",
    mode: "spec",
    status: "in_progress",
    phase: "migrate",
    phases: { understand: "completed", guardrail: "completed", migrate: "in_progress", verify: "pending" },
    steps: { completed: 1, total: 3, current: null },
    percent: 50,
    tests: { before: null, now: null },
    waiting: null,
    startedAt: "2026-01-01T00:00:00.000Z",
    ...changes,
  };
}

export function stepView(changes: Partial<StepView> = {}): StepView {
  return {
    id: "one",
    phase: "migrate",
    status: "completed",
    attempts: 1,
    durationMs: 1500,
    commit: "0123456789abcdef0123456789abcdef01234567",
    note: "",
    ...changes,
  };
}

export function planView(recent: readonly StepView[] = []): PlanView {
  return { completed: recent.filter((step) => step.status === "completed").length, total: 3, recent };
}
