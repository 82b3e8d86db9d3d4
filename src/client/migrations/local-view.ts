import { isTerminal, type Manifest, MigrationStatus, type StepRecord } from "../../model/manifest.js";
import type { PlanView, ProgressView, StepView } from "../../model/messages.js";
import { PHASES, type Phase, type PhaseStatus } from "../../model/phases.js";
import type { Plan, PlanStep } from "../../model/plan.js";
import { progressPercent } from "../../model/progress.js";
import { isStepDone } from "../../model/step-summary.js";
import { recordedSteps, stepRecord } from "../../model/steps.js";
import { testsOf } from "../../model/tally.js";
import type { GateReport } from "../render/gates.js";

/** Which phase stands in front: the one in progress, else the last completed, else the first. */
function currentPhase(phases: Readonly<Record<Phase, PhaseStatus>>): Phase {
  const running = PHASES.find((phase) => phases[phase] === "in_progress");
  return running ?? PHASES.findLast((phase) => phases[phase] === "completed") ?? "understand";
}

function phasesOf(manifest: Manifest): Record<Phase, PhaseStatus> {
  const status = (phase: Phase): PhaseStatus => manifest.phases[phase]?.status ?? "pending";
  return {
    understand: status("understand"),
    guardrail: status("guardrail"),
    migrate: status("migrate"),
    verify: status("verify"),
  };
}

/** A status that Towpath does not know (an adopted migration's) counts as in progress. */
export function statusOf(manifest: Manifest): MigrationStatus {
  const status = MigrationStatus.safeParse(manifest.status);
  return status.success ? status.data : "in_progress";
}

function noteOf(record: StepRecord): string {
  if (record.skipped !== undefined) return `by ${record.skipped.by}: ${record.skipped.reason}`;
  if (record.tolerated === true) return `tolerated: ${record.failure?.message ?? "failed"}`;
  return record.status === "failed" ? (record.failure?.message ?? "") : "";
}

function stepView(id: string, record: StepRecord): StepView {
  return {
    id,
    phase: record.phase,
    status: record.skipped === undefined ? record.status : "skipped",
    attempts: record.attempts,
    durationMs: record.duration_ms,
    commit: record.commit ?? null,
    note: noteOf(record),
  };
}

function writtenStep(step: PlanStep): StepView {
  const { id, status, description } = step;
  return { id, phase: "migrate", status, attempts: 0, durationMs: 0, commit: null, note: description };
}

function writtenPlan(written: Plan | null): PlanView {
  const steps = (written?.steps ?? []).map((step) => writtenStep(step));
  const completed = steps.filter((step) => step.status === "completed").length;
  return { completed, total: steps.length, recent: steps };
}

/**
 * The whole plan: the manifest's own records of the steps or, where there are none, what people wrote.
 * @param written what `migration-plan.json` holds; null where it holds no plan
 */
export function localPlan(manifest: Manifest, written: Plan | null): PlanView {
  const recorded = recordedSteps(manifest) ?? [];
  if (recorded.length === 0 && manifest.mode !== "spec") return writtenPlan(written);
  const completed = recorded.filter(({ record }) => isStepDone(record)).length;
  return {
    completed,
    total: recorded.length,
    recent: recorded.map(({ id, record }) => stepView(id, record)),
  };
}

function currentStep(manifest: Manifest): ProgressView["steps"]["current"] {
  const { lease } = manifest;
  if (isTerminal(statusOf(manifest)) || lease === undefined || lease === null) return null;
  const { step: id, attempt } = lease;
  const startedAt = stepRecord(manifest, id)?.started_at ?? "";
  return { id, attempt, ...(startedAt === "" ? {} : { startedAt }) };
}

/** A migration's state as its manifest records it, in the shape in which its workflow answers. */
export function localProgress(manifest: Manifest, written: Plan | null): ProgressView {
  const phases = phasesOf(manifest);
  const { completed, total } = localPlan(manifest, written);
  const status = statusOf(manifest);
  return {
    migrationId: manifest.id,
    name: manifest.name ?? "",
    target: manifest.target_info.target,
    source: manifest.source_info.url ?? manifest.source_info.path,
    hostId: manifest.host_id ?? "",
    branch: manifest.branch ?? "",
    mode: manifest.mode ?? "hands-on",
    status,
    phase: currentPhase(phases),
    phases,
    steps: { completed, total, current: currentStep(manifest) },
    percent: progressPercent(manifest),
    tests: testsOf(manifest),
    waiting: manifest.waiting_for ?? null,
    outcome: manifest.outcome ?? null,
    startedAt: manifest.created_at,
    requirements: manifest.requirements ?? null,
  };
}

function approvalsOf(manifest: Manifest, phase: Phase): GateReport["approvals"] {
  return (manifest.approvals ?? [])
    .filter((approval) => approval.phase === phase)
    .map(({ verdict, by, at, comment, tree }) => ({ verdict, by, at, comment, tree }));
}

/** What the manifest records of each gate that was checked. */
export function localGates(manifest: Manifest): GateReport[] {
  return PHASES.flatMap((phase) => {
    const gate = manifest.gates?.[phase];
    if (gate === undefined) return [];
    const { open, refusals, evidence, tree, checked_at: checkedAt } = gate;
    return [{ phase, open, refusals, evidence, tree, checkedAt, approvals: approvalsOf(manifest, phase) }];
  });
}
