import { CancelledFailure, Context } from "@temporalio/activity";
import type { Json } from "../model/json.js";

const BEAT_MS = 1_000;

/** What an activity last said of its progress, which the next beats repeat. */
const told = new WeakMap<Context, Json>();

/** Shows on the workflow's page what a long activity is at; nothing is ever resumed from it. */
export function beatWith(progress: Json): void {
  const context = Context.current();
  told.set(context, progress);
  context.heartbeat(progress);
}

/**
 * Runs `work` while telling Temporal every second that this worker lives; that is also how a cancellation gets here.
 * What is done so far is on disk, so that heartbeats carry nothing but progress for people.
 * @throws CancelledFailure when the activity was cancelled, whatever `work` made of its signal
 */
export async function heartbeating<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const context = Context.current();
  const beat = setInterval(() => context.heartbeat(told.get(context)), BEAT_MS);
  context.heartbeat();
  try {
    const result = await work(context.cancellationSignal);
    if (context.cancellationSignal.aborted) await context.cancelled;
    return result;
  } catch (error) {
    if (context.cancellationSignal.aborted && !(error instanceof CancelledFailure)) await context.cancelled;
    throw error;
  } finally {
    clearInterval(beat);
  }
}

/**
 * Runs a short piece of work that no cancellation may end half-way, and tells Temporal that this worker lives if it takes
 * longer than expected (a lock that others hold): without that the work of a dead worker would wait for its time limit.
 */
export async function whileAlive<T>(work: () => Promise<T>): Promise<T> {
  const context = Context.current();
  const beat = setInterval(() => context.heartbeat(), BEAT_MS);
  try {
    return await work();
  } finally {
    clearInterval(beat);
  }
}

/** How often Temporal has started this activity: 1, and one more for each worker that was lost with it. */
export function execution(): number {
  return Context.current().info.attempt;
}
