import type { WorkflowHandle } from "@temporalio/client";
import type { Home } from "./home.js";

export interface StepTimes {
  /** From the first step's activity being scheduled to the last one's completion, in ms. */
  readonly totalMs: number;
  /** History events in that span. */
  readonly events: number;
}

type Event = NonNullable<Awaited<ReturnType<WorkflowHandle["fetchHistory"]>>["events"]>[number];

/**
 * Reads from a migration's history what its steps took, without the first, which is the survey.
 * @throws Error for a migration that was continued as new: its latest run has not all steps
 */
export async function stepTimes(home: Home, migrationId: string): Promise<StepTimes> {
  const client = await home.client();
  const { events } = await client.workflow.getHandle(migrationId).fetchHistory();
  const all = events ?? [];
  const [, first, ...rest] = all.filter(
    (event) => event.activityTaskScheduledEventAttributes?.activityType?.name === "attemptStep",
  );
  const last = rest.at(-1) ?? first;
  if (first === undefined || last === undefined) throw new Error(`${migrationId} ran no step`);
  const end = all.find(
    (event) => String(event.activityTaskCompletedEventAttributes?.scheduledEventId) === String(last.eventId),
  );
  if (end === undefined) throw new Error(`${migrationId} did not complete its last step`);
  const span = Number(end.eventId) - Number(first.eventId) + 1;
  return { totalMs: timeOf(end) - timeOf(first), events: span + WORKFLOW_TASK_EVENTS };
}

/** Every run of a migration, from its first one on. */
export async function historyOf(home: Home, migrationId: string): Promise<Event[]> {
  const client = await home.client();
  const events: Event[] = [];
  let runId = (await client.workflow.getHandle(migrationId).describe()).raw.workflowExecutionInfo?.firstRunId;
  while (runId) {
    const run: Event[] = (await client.workflow.getHandle(migrationId, runId).fetchHistory()).events ?? [];
    events.push(...run);
    runId = run.at(-1)?.workflowExecutionContinuedAsNewEventAttributes?.newExecutionRunId;
  }
  return events;
}

/** Events from the first step behind the survey to the last one's end, readings of the plan and new runs included. */
export function stepEventsIn(events: readonly Event[]): number {
  const isAttempt = (event: Event): boolean =>
    event.activityTaskScheduledEventAttributes?.activityType?.name === "attemptStep";
  const survey = events.findIndex(isAttempt);
  const first = events.findIndex((event, index) => index > survey && isAttempt(event));
  return events.findLastIndex(isAttempt) - first + ATTEMPT_EVENTS + WORKFLOW_TASK_EVENTS;
}

/** Scheduled, started, completed. */
const ATTEMPT_EVENTS = 3;

/** Those of the workflow task that an activity's completion brings. */
const WORKFLOW_TASK_EVENTS = 3;

function timeOf(event: Event): number {
  return Number(event.eventTime?.seconds ?? 0) * 1000 + (event.eventTime?.nanos ?? 0) / 1e6;
}
