import { z } from "zod";
import { isObject, parseJson, parseShape, refuseIfAny, type Parsed } from "./artefact-text.js";
import { duplicateIds } from "./features.js";
import { isStepId } from "./ids.js";
import { Json } from "./json.js";

export const PlanStepStatus = z.enum(["pending", "in_progress", "completed", "failed"]);
export type PlanStepStatus = z.infer<typeof PlanStepStatus>;

/** A step as `migration-plan.json` holds it. */
export const PlanStep = z.looseObject({
  id: z.string().min(1),
  description: z.string().default(""),
  type: z.string().default(""),
  files: z.array(z.string()).default([]),
  tests_required: z.array(z.string()).default([]),
  estimated_tokens: z.number().default(0),
  risk: z.string().default("low"),
  rollback_point: z.boolean().default(false),
  depends_on: z.array(z.string()).default([]),
  assigned_agent: z.string().default(""),
  status: PlanStepStatus.default("pending"),
});
export type PlanStep = z.infer<typeof PlanStep>;

export const Plan = z.looseObject({
  version: z.number().default(1),
  strategy: z.string().default("incremental"),
  constraints: z.array(z.string()).default([]),
  steps: z.array(PlanStep).default([]),
  rollback_strategy: z.string().default("checkpoint"),
  exit_criteria: z.record(z.string(), Json).default({}),
});
export type Plan = z.infer<typeof Plan>;

/** Reads the text of `migration-plan.json`; a bare list is taken as the plan's steps. */
export function parsePlan(text: string): Parsed<Plan> {
  const json = parseJson(text);
  if (!json.ok) return json;
  return parseShape("plan", Plan, Array.isArray(json.value) ? { steps: json.value } : unwrapPlan(json.value));
}

function unwrapPlan(value: unknown): unknown {
  return isObject(value) && isObject(value["plan"]) && value["steps"] === undefined ? value["plan"] : value;
}

/** The rules beyond the shape: usable and unique ids, `depends_on` names existing steps and goes in no circle. */
export function validatePlan(text: string): Parsed<Plan> {
  const shape = parsePlan(text);
  if (!shape.ok) return shape;
  const { steps } = shape.value;
  return refuseIfAny(shape.value, [
    ...unusableIds(steps),
    ...duplicateIds("plan.steps", steps),
    ...unknownDependencies(steps),
    ...cycles(steps),
  ]);
}

function unusableIds(steps: readonly PlanStep[]): string[] {
  return steps.flatMap(({ id }, index) =>
    isStepId(id)
      ? []
      : [`plan.steps[${index}].id: '${id}' must match ^[a-zA-Z0-9_-]+$ and have at most 63 characters`],
  );
}

function unknownDependencies(steps: readonly PlanStep[]): string[] {
  const known = new Set(steps.map((step) => step.id));
  return steps.flatMap((step, index) =>
    step.depends_on
      .filter((id) => !known.has(id))
      .map((id) => `plan.steps[${index}].depends_on: there is no step '${id}'`),
  );
}

/** Takes away what depends on nothing left (Kahn); what stays lies on a circle or behind one. */
function cycles(steps: readonly PlanStep[]): string[] {
  const waitsFor = new Map(steps.map((step) => [step.id, 0]));
  const neededBy = new Map<string, string[]>();
  for (const step of steps) {
    for (const id of new Set(step.depends_on)) {
      if (!waitsFor.has(id)) continue;
      waitsFor.set(step.id, (waitsFor.get(step.id) ?? 0) + 1);
      const dependants = neededBy.get(id);
      if (dependants === undefined) neededBy.set(id, [step.id]);
      else dependants.push(step.id);
    }
  }
  const ready = [...waitsFor].filter(([, count]) => count === 0).map(([id]) => id);
  for (let id = ready.pop(); id !== undefined; id = ready.pop()) {
    waitsFor.delete(id);
    for (const next of neededBy.get(id) ?? []) {
      const left = (waitsFor.get(next) ?? 0) - 1;
      waitsFor.set(next, left);
      if (left === 0) ready.push(next);
    }
  }
  if (waitsFor.size === 0) return [];
  return [`plan.steps: depends_on goes in a circle (${[...waitsFor.keys()].slice(0, 5).join(", ")})`];
}
