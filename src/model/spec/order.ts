import { PHASES, type Phase } from "../phases.js";
import type { Spec, SpecStep } from "./schema.js";

/** A step and the phase in which it stands. */
export interface PlacedStep {
  readonly phase: Phase;
  /** Its place in the phase's list. */
  readonly index: number;
  readonly step: SpecStep;
}

/** All steps as the file has them, phase by phase. */
export function placedSteps(spec: Spec): PlacedStep[] {
  return PHASES.flatMap((phase) =>
    (spec.phases[phase]?.steps ?? []).map((step, index) => ({ phase, index, step })),
  );
}

const byId = new WeakMap<Spec, ReadonlyMap<string, PlacedStep>>();

/** The step of that id, undefined where there is none: found at once, also among ten thousand. */
export function placedStep(spec: Spec, id: string): PlacedStep | undefined {
  const known = byId.get(spec) ?? new Map(placedSteps(spec).map((placed) => [placed.step.id, placed]));
  byId.set(spec, known);
  return known.get(id);
}

/** Ids of the steps that come before `step`, as its `needs` says, or its `depends_on`. */
export function needsOf(step: SpecStep): string[] {
  return listOf(step.needs ?? step.depends_on);
}

/** One or several, as a list. */
export function listOf(value: string | readonly string[] | undefined): string[] {
  if (value === undefined) return [];
  return typeof value === "string" ? [value] : [...value];
}

/**
 * Ids of all steps in the order in which they run: phase by phase, each step behind those that it needs, otherwise as
 * the file has them. Of steps that need each other in a circle, which validation refuses, each still comes once.
 */
export function stepsInOrder(spec: Spec): string[] {
  return PHASES.flatMap((phase) => phaseOrder(spec.phases[phase]?.steps ?? []));
}

/** Depth first without recursion: a chain of 10,000 steps is a legal spec. */
function phaseOrder(steps: readonly SpecStep[]): string[] {
  const needs = new Map(steps.map((step) => [step.id, needsOf(step)]));
  const seen = new Set<string>();
  const order: string[] = [];
  for (const { id } of steps) {
    const stack = seen.has(id) ? [] : [{ id, waiting: [...(needs.get(id) ?? [])].reverse() }];
    seen.add(id);
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      const next = top.waiting.pop();
      if (next === undefined) {
        order.push(top.id);
        stack.pop();
      } else if (needs.has(next) && !seen.has(next)) {
        seen.add(next);
        stack.push({ id: next, waiting: [...(needs.get(next) ?? [])].reverse() });
      }
    }
  }
  return order;
}
