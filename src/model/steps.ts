import type { Manifest, StepRecord } from "./manifest.js";

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

/** Towpath's own records in running order; null where the migration has none (hands-on). */
export function recordedSteps(manifest: Manifest): RecordedStep[] | null {
  const { steps } = manifest;
  if (steps === undefined) return null;
  const order = manifest.step_order ?? Object.keys(steps);
  const known = order.flatMap((id) => recorded(steps, id));
  if (known.length === Object.keys(steps).length) return known;
  const listed = new Set(order);
  return [
    ...known,
    ...Object.keys(steps)
      .filter((id) => !listed.has(id))
      .flatMap((id) => recorded(steps, id)),
  ];
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
  return { ...manifest, steps: { ...manifest.steps, [id]: record } };
}

/** True when nothing more is expected of a step: it is completed, was skipped, or its failure is tolerated. */
export function isStepDone(record: StepRecord): boolean {
  return record.status === "completed" || record.skipped !== undefined || record.tolerated === true;
}
