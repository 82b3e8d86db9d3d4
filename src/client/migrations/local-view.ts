import { isTerminal, type Manifest, MigrationStatus, type StepRecord } from "../../model/manifest.js";
import type { PlanView, ProgressView, StepView } from "../../model/messages.js";
import { PHASES, type Phase, type PhaseStatus } from "../../model/phases.js";
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

function idsInOrder(manifest: Manifest): string[] {
  const known = Object.keys(manifest.steps ?? {});
  const ordered = manifest.step_order ?? [];
  return [...ordered, ...known.filter((id) => !ordered.includes(id))];
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

/** The whole plan as the manifest records it. */
export function localPlan(manifest: Manifest): PlanView {
  const steps = idsInOrder(manifest).flatMap((id) => {
    const record = manifest.steps?.[id];
    return record === undefined ? [] : [stepView(id, record)];
  });
  const done = steps.filter((step) => step.status === "completed" || step.status === "skipped");
  return { completed: done.length, total: steps.length, recent: steps };
}

/** A migration's state as its manifest records it, in the shape in which its workflow answers. */
export function localProgress(manifest: Manifest): ProgressView {
  const phases = phasesOf(manifest);
  const { completed, total } = localPlan(manifest);
  const status = statusOf(manifest);
  const lease = isTerminal(status) ? null : (manifest.lease ?? null);
  return {
    migrationId: manifest.id,
    name: manifest.name ?? "",
    target: manifest.target_info.target,
    source: manifest.source_info.path,
    hostId: manifest.host_id ?? "",
    branch: manifest.branch ?? "",
    mode: manifest.mode ?? "hands-on",
    status,
    phase: currentPhase(phases),
    phases,
    steps: { completed, total, current: lease === null ? null : { id: lease.step, attempt: lease.attempt } },
    waiting: manifest.waiting_for ?? null,
    startedAt: manifest.created_at,
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
