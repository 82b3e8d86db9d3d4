import {
  type Client,
  ScheduleAlreadyRunning,
  type ScheduleDescription,
  type ScheduleHandle,
  ScheduleNotFoundError,
  ScheduleOverlapPolicy,
} from "@temporalio/client";
import { TowpathError } from "../../model/errors.js";
import {
  formatReference,
  type ImageReference,
  repositoryOf,
  tryParseReference,
} from "../../model/images/reference.js";
import { RefreshReport, type RefreshOptions, refreshWorkflowId } from "../../model/images/refresh.js";
import { hostQueue } from "../../model/queues.js";
import type { SearchAttributeName } from "../../model/visibility.js";
import { IMAGE_REFRESH_WORKFLOW } from "../../workflows/image-refresh.contract.js";
import { asTowpathError } from "../migrations/failures.js";

const PREFIX = "towpath-images:";
const SHOWN_RUNS = 10;
/** Runs that were missed for longer (a laptop was closed) are not made up for; the server would do so for a year. */
const CATCH_UP = "1 minute";
const MAX_JITTER_MS = 5 * 60_000;
const MAX_RETRY_MS = 60_000;

/** When a schedule fires. */
export type Timing = { readonly everyMs: number } | { readonly cron: string };

/** A schedule as people and scripts see it. */
export interface ScheduleView {
  readonly id: string;
  readonly paused: boolean;
  readonly note: string;
  readonly next: readonly string[];
  readonly recent: readonly string[];
}

/** One refresh, scheduled or not. */
export interface RunView {
  readonly workflowId: string;
  readonly runId: string;
  readonly startedAt: string;
  readonly status: string;
  /** Null while it runs, and where it failed before there was one. */
  readonly report: RefreshReport | null;
}

/** One schedule for a repository on a host. */
export function scheduleId(hostId: string, reference: ImageReference): string {
  return `${PREFIX}${hostId}:${repositoryOf(reference)}`;
}

/** What a user names a schedule by: its id, or an image of its repository on this host. */
export function scheduleNamed(text: string, hostId: string): string {
  if (text.startsWith(PREFIX)) return text;
  const reference = tryParseReference(text);
  if (reference !== null) return scheduleId(hostId, reference);
  throw new TowpathError("Usage", `'${text}' is neither an image nor the id of a schedule`);
}

/** @throws TowpathError `ScheduleExists`, `TemporalUnreachable` */
export async function createSchedule(
  client: Client,
  hostId: string,
  reference: ImageReference,
  timing: Timing,
  options: RefreshOptions,
): Promise<string> {
  const id = scheduleId(hostId, reference);
  const image = formatReference(reference);
  try {
    await client.schedule.create({
      scheduleId: id,
      spec: specOf(timing),
      policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: CATCH_UP, pauseOnFailure: true },
      action: {
        type: "startWorkflow",
        workflowType: IMAGE_REFRESH_WORKFLOW,
        workflowId: `${refreshWorkflowId(hostId, repositoryOf(reference), false)}:scheduled`,
        taskQueue: hostQueue(hostId),
        staticSummary: image,
        // The schedule is paused by what fails in spite of these.
        retry: { maximumAttempts: 3, initialInterval: retryAfterMs(timing), backoffCoefficient: 3 },
        args: [{ ...options, hostId, reference: image, failOnProblem: true }],
      },
      memo: { image, host: hostId },
    });
    return id;
  } catch (error) {
    if (!(error instanceof ScheduleAlreadyRunning)) throw asTowpathError(error);
    throw new TowpathError(
      "ScheduleExists",
      `There is a schedule for ${repositoryOf(reference)} on this host already: towpath image schedule show ${image}`,
      { cause: error, details: { id } },
    );
  }
}

/** All tries of a run are over when the next one is due: it would be left out otherwise. */
function retryAfterMs(timing: Timing): number {
  return "cron" in timing ? MAX_RETRY_MS : Math.min(timing.everyMs / 10, MAX_RETRY_MS);
}

function specOf(timing: Timing) {
  if ("cron" in timing) return { cronExpressions: [timing.cron], jitter: "1 minute" as const };
  // Many hosts with the same schedule must not meet at the registry.
  return { intervals: [{ every: timing.everyMs }], jitter: Math.min(timing.everyMs / 10, MAX_JITTER_MS) };
}

/** @throws TowpathError `TemporalUnreachable` */
export async function listSchedules(client: Client): Promise<ScheduleView[]> {
  const views: ScheduleView[] = [];
  try {
    for await (const { scheduleId: id, state, info } of client.schedule.list()) {
      if (!id.startsWith(PREFIX)) continue;
      views.push({
        id,
        paused: state.paused,
        note: state.note ?? "",
        next: info.nextActionTimes.slice(0, 1).map((time) => time.toISOString()),
        recent: info.recentActions.map(({ scheduledAt }) => scheduledAt.toISOString()),
      });
    }
  } catch (error) {
    throw asTowpathError(error);
  }
  return views.sort((a, b) => a.id.localeCompare(b.id));
}

/** @throws TowpathError `ScheduleNotFound`, `TemporalUnreachable` */
export function describeSchedule(client: Client, id: string): Promise<ScheduleView> {
  return onSchedule(client, id, async (handle) => viewOf(await handle.describe()));
}

/**
 * Does something with a schedule.
 * @throws TowpathError `ScheduleNotFound`, `TemporalUnreachable`
 */
export async function onSchedule<T>(
  client: Client,
  id: string,
  act: (handle: ScheduleHandle) => Promise<T>,
): Promise<T> {
  try {
    return await act(client.schedule.getHandle(id));
  } catch (error) {
    if (!(error instanceof ScheduleNotFoundError)) throw asTowpathError(error);
    throw new TowpathError("ScheduleNotFound", `There is no schedule ${id}: towpath image schedule list`, {
      cause: error,
      details: { id },
    });
  }
}

function viewOf({ scheduleId: id, state, info }: ScheduleDescription): ScheduleView {
  return {
    id,
    paused: state.paused,
    note: state.note ?? "",
    next: info.nextActionTimes.slice(0, 3).map((time) => time.toISOString()),
    recent: info.recentActions.map(({ scheduledAt }) => scheduledAt.toISOString()),
  };
}

/**
 * The newest refreshes of a schedule's repository on its host, found by their search attributes.
 * @throws TowpathError `TemporalUnreachable`
 */
export async function refreshRuns(client: Client, id: string): Promise<RunView[]> {
  const [host = "", ...repository] = id.slice(PREFIX.length).split(":");
  const conditions: readonly (readonly [SearchAttributeName, string])[] = [
    ["TowpathKind", "image-refresh"],
    ["TowpathHost", host],
    ["TowpathRepository", repository.join(":")],
  ];
  const query = conditions.map(([name, value]) => `${name} = "${value.replaceAll('"', "")}"`).join(" AND ");
  const runs: RunView[] = [];
  try {
    for await (const execution of client.workflow.list({ query })) {
      const report = RefreshReport.safeParse(execution.memo?.["report"]);
      runs.push({
        workflowId: execution.workflowId,
        runId: execution.runId,
        startedAt: execution.startTime.toISOString(),
        status: execution.status.name,
        report: report.success ? report.data : null,
      });
      if (runs.length >= SHOWN_RUNS) break;
    }
  } catch (error) {
    throw asTowpathError(error);
  }
  return runs;
}
