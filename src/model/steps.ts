import { withValue } from "./derived.js";
import type { Manifest, StepRecord } from "./manifest.js";
import { carrySummary } from "./step-summary.js";

/**
 * How long steps are begun behind each other in one activity, which the engine hands out and takes back once for all of
 * them. A pause waits for as long, and a step that takes longer is shown by itself.
 */
export const TOGETHER_MS = 1_000;

/** A step and its record, in the order in which steps run. */
export interface RecordedStep {
  readonly id: string;
  readonly record: StepRecord;
}

/** The ids of all recorded steps, in the order in which they run. */
export function stepOrder({ steps = {}, step_order: order }: Manifest): readonly string[] {
  const ids = Object.keys(steps);
  if (order === undefined) return ids;
  const listed = order.filter((id) => Object.hasOwn(steps, id));
  if (listed.length === ids.length) return listed;
  const known = new Set(order);
  return [...listed, ...ids.filter((id) => !known.has(id))];
}

/** Towpath's own records in running order; null where the migration has none (hands-on). */
export function recordedSteps(manifest: Manifest): RecordedStep[] | null {
  const { steps } = manifest;
  return steps === undefined ? null : stepOrder(manifest).flatMap((id) => recorded(steps, id));
}

function recorded(steps: Record<string, StepRecord>, id: string): RecordedStep[] {
  const record = Object.hasOwn(steps, id) ? steps[id] : undefined;
  return record === undefined ? [] : [{ id, record }];
}

/** One step's record; undefined where there is none. */
export function stepRecord(manifest: Manifest, id: string): StepRecord | undefined {
  return manifest.steps !== undefined && Object.hasOwn(manifest.steps, id) ? manifest.steps[id] : undefined;
}

/** The manifest with one step's record replaced; the other records stay the same objects. */
export function withStepRecord(manifest: Manifest, id: string, record: StepRecord): Manifest {
  const before = manifest.steps ?? {};
  const steps = withValue(before, id, record);
  carrySummary(before, steps, id);
  return { ...manifest, steps };
}
