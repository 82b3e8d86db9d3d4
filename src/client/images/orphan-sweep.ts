import { type Client, ScheduleAlreadyRunning, ScheduleOverlapPolicy } from "@temporalio/client";
import { hostQueue } from "../../model/queues.js";
import { ORPHAN_SWEEP_WORKFLOW } from "../../workflows/image-refresh.contract.js";
import { asTowpathError } from "../migrations/failures.js";

const EVERY = "10 minutes";
/** A container is older than its workflow's record by moments; what a worker left is older by much more. */
const GRACE_MS = 10 * 60_000;

/** The schedule that sweeps a host's containers. */
export function orphanSweepId(hostId: string): string {
  return `towpath-orphan-sweep:${hostId}`;
}

/**
 * Sees to it that containers are removed whose workflow is over: of a host once, however often it is asked for.
 * @returns the schedule's id
 * @throws TowpathError `TemporalUnreachable`
 */
export async function ensureOrphanSweep(client: Client, hostId: string): Promise<string> {
  const scheduleId = orphanSweepId(hostId);
  try {
    await client.schedule.create({
      scheduleId,
      spec: { intervals: [{ every: EVERY }], jitter: "1 minute" },
      policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: "1 minute" },
      action: {
        type: "startWorkflow",
        workflowType: ORPHAN_SWEEP_WORKFLOW,
        workflowId: `orphan-sweep:${hostId}`,
        taskQueue: hostQueue(hostId),
        // A host that is away is swept when it is back, by the next run.
        workflowExecutionTimeout: "1 hour",
        args: [{ hostId, graceMs: GRACE_MS }],
      },
      memo: { host: hostId },
    });
  } catch (error) {
    if (!(error instanceof ScheduleAlreadyRunning)) throw asTowpathError(error);
  }
  return scheduleId;
}
