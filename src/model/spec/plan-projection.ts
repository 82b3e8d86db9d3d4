import type { StepRecord } from "../manifest.js";
import type { Plan, PlanStep, PlanStepStatus } from "../plan.js";
import { stepsInOrder } from "./order.js";
import { type ResolvedStep, resolveSteps } from "./resolve.js";
import type { Spec } from "./schema.js";

/** A step whose failure the spec tolerates, or that a person skipped, is over: it does not hold the gate shut. */
function statusOf(record: StepRecord | undefined): PlanStepStatus {
  if (record === undefined) return "pending";
  return record.tolerated === true || record.skipped !== undefined ? "completed" : record.status;
}

function planStep(step: ResolvedStep, record: StepRecord | undefined, inPlan: ReadonlySet<string>): PlanStep {
  return {
    id: step.id,
    description: step.name,
    type: step.action.kind,
    files: [...step.scope.include],
    tests_required: [...step.verify],
    estimated_tokens: 0,
    risk: "low",
    rollback_point: true,
    depends_on: step.needs.filter((id) => inPlan.has(id)),
    assigned_agent: step.action.kind === "agent" ? (step.action.command.trim().split(/\s/)[0] ?? "") : "",
    status: statusOf(record),
    ...(record?.tolerated === true ? { tolerated: true } : {}),
    ...(record?.skipped === undefined ? {} : { skipped: record.skipped.reason }),
  };
}

function exitCriteria(spec: Spec): Plan["exit_criteria"] {
  const gate = spec.phases.verify?.gate;
  const ratchet = (gate?.ratchet ?? []).map(({ name, max }) => [name, max] as const);
  return {
    ...(gate?.tests === undefined ? {} : { "no-new-failures": true }),
    ...(ratchet.length === 0 ? {} : { ratchet: Object.fromEntries(ratchet) }),
    ...(gate?.approval === undefined ? {} : { approvals: gate.approval.required ?? 1 }),
  };
}

/**
 * `migration-plan.json` of a spec-driven migration: the steps of `migrate`, whose completion its gate asks for, in the
 * order in which they run, with what the manifest's records say of them.
 * @param records the manifest's `steps`
 */
export function projectPlan(spec: Spec, records: Readonly<Record<string, StepRecord>> = {}): Plan {
  const steps = new Map(
    resolveSteps(spec).flatMap((step) => (step.phase === "migrate" ? [[step.id, step] as const] : [])),
  );
  const inPlan = new Set(steps.keys());
  const ordered = stepsInOrder(spec).flatMap((id) => steps.get(id) ?? []);
  return {
    version: 1,
    strategy: "incremental",
    constraints: [
      ...new Set(ordered.flatMap(({ scope }) => scope.protect.map((glob) => `unchanged: ${glob}`))),
    ],
    steps: ordered.map((step) =>
      planStep(step, Object.hasOwn(records, step.id) ? records[step.id] : undefined, inPlan),
    ),
    rollback_strategy: "checkpoint",
    exit_criteria: exitCriteria(spec),
  };
}
