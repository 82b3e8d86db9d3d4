import {
  type Client,
  WithStartWorkflowOperation,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
} from "@temporalio/client";
import { ApplicationFailure } from "@temporalio/common";
import { decodeFromPayloadsAtIndex } from "@temporalio/common/lib/internal-non-workflow/index.js";
import { TowpathError } from "../../model/errors.js";
import {
  HOST_CLAIM_UPDATE,
  HOST_WORKFLOW,
  type HostInput,
  HostMemo,
  type HostPlace,
  HostRecord,
  hostWorkflowId,
  isSilent,
  PRESENCE_ACTIVITY,
} from "../../model/hosts.js";
import { WORKFLOW_QUEUE } from "../../model/queues.js";

/** A host as Temporal knows it. */
export interface KnownHost {
  readonly hostId: string;
  /** Whose id it is; null: nobody has claimed it yet. */
  readonly place: HostPlace | null;
  /** What its worker said last; null: it has never said anything. */
  readonly record: HostRecord | null;
  /** ISO time of its last beat; null: never. */
  readonly lastSeen: string | null;
  readonly isHere: boolean;
}

type Description = Awaited<ReturnType<ReturnType<Client["workflow"]["getHandle"]>["describe"]>>;
type PendingActivity = NonNullable<Description["raw"]["pendingActivities"]>[number];
type Payloads = NonNullable<NonNullable<PendingActivity["heartbeatDetails"]>["payloads"]>;
type HistoryPage = Awaited<
  ReturnType<Client["workflowService"]["getWorkflowExecutionHistoryReverse"]>
>["history"];

/** Events in which the end of a worker is found that nobody has told of: it is among the last. */
const LAST_EVENTS = 20;

/**
 * What is known of a host; null where Temporal has never heard of it.
 * @throws what Temporal's client throws
 */
export async function readHost(client: Client, hostId: string, now: Date): Promise<KnownHost | null> {
  try {
    const description = await client.workflow.getHandle(hostWorkflowId(hostId)).describe();
    if (description.status.name !== "RUNNING") return null;
    const { place, record, lastSeen } = HostMemo.parse(description.memo ?? {});
    const beat = (await lastBeat(client, description)) ?? { record, at: lastSeen };
    const at = beat.at ?? (await lastWords(client, description));
    const isHere = beat.isLive === true && at !== null && !isSilent(at, now);
    return { hostId, place, record: beat.record ?? record, lastSeen: at, isHere };
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return null;
    throw error;
  }
}

/** Every host that Temporal knows, sorted by id. */
export async function listHosts(client: Client, now: Date): Promise<KnownHost[]> {
  const query = `WorkflowType = "${HOST_WORKFLOW}" AND ExecutionStatus = "Running"`;
  const prefix = hostWorkflowId("");
  const ids: string[] = [];
  for await (const { workflowId } of client.workflow.list({ query })) {
    ids.push(workflowId.slice(prefix.length));
  }
  const hosts = await Promise.all(ids.sort().map((id) => readHost(client, id, now)));
  return hosts.filter((host) => host !== null);
}

/**
 * Makes a host id that of a data directory, for good; one that is so already stays as it is.
 * @throws TowpathError `WrongStatus` where it is another one's
 */
export async function claimHost(client: Client, hostId: string, place: HostPlace): Promise<void> {
  const input: HostInput = { hostId, place: null, record: null, absent: false };
  const startWorkflowOperation = new WithStartWorkflowOperation(HOST_WORKFLOW, {
    workflowId: hostWorkflowId(hostId),
    taskQueue: WORKFLOW_QUEUE,
    workflowIdConflictPolicy: "USE_EXISTING",
    args: [input],
    staticSummary: `host ${hostId}`,
  });
  try {
    await client.workflow.executeUpdateWithStart(HOST_CLAIM_UPDATE, {
      startWorkflowOperation,
      args: [place],
    });
  } catch (error) {
    const cause = error instanceof WorkflowUpdateFailedError ? error.cause : null;
    if (!(cause instanceof ApplicationFailure) || cause.type !== "WrongStatus") throw error;
    throw new TowpathError("WrongStatus", cause.message, { cause: error, details: { hostId } });
  }
}

/** Lets go of a host for good: its id may be claimed by whoever has it. */
export async function forgetHost(client: Client, hostId: string, reason: string): Promise<void> {
  await client.workflow.getHandle(hostWorkflowId(hostId)).terminate(reason);
}

interface Beat {
  readonly record: HostRecord | null;
  readonly at: string | null;
  readonly isLive?: boolean;
}

async function lastBeat(client: Client, { raw }: Description): Promise<Beat | null> {
  const remaining = raw.pendingActivities?.find(
    ({ activityType }) => activityType?.name === PRESENCE_ACTIVITY,
  );
  const seconds = remaining?.lastHeartbeatTime?.seconds ?? remaining?.lastStartedTime?.seconds;
  if (remaining === undefined || seconds === undefined || seconds === null) return null;
  const at = new Date(Number(seconds) * 1_000).toISOString();
  return { record: await decoded(client, remaining.heartbeatDetails?.payloads), at, isLive: true };
}

/** Its worker is gone, and no other is there that could have noted down when: the server did. */
async function lastWords(client: Client, { workflowId, runId }: Description): Promise<string | null> {
  const { history } = await client.workflowService.getWorkflowExecutionHistoryReverse({
    namespace: client.options.namespace,
    execution: { workflowId, runId },
    maximumPageSize: LAST_EVENTS,
  });
  return endOf(history);
}

function endOf(history: HistoryPage): string | null {
  const end = history?.events?.find(
    (event) =>
      Boolean(event.activityTaskTimedOutEventAttributes) || Boolean(event.activityTaskFailedEventAttributes),
  );
  const seconds = end?.eventTime?.seconds;
  return seconds === undefined || seconds === null ? null : new Date(Number(seconds) * 1_000).toISOString();
}

async function decoded(client: Client, payloads: Payloads | null | undefined): Promise<HostRecord | null> {
  if (!payloads || payloads.length === 0) return null;
  const details: unknown = await decodeFromPayloadsAtIndex(client.options.loadedDataConverter, 0, payloads);
  const record = HostRecord.safeParse(details);
  return record.success ? record.data : null;
}
