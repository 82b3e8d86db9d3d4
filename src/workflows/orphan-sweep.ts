import { proxyActivities, setCurrentDetails } from "@temporalio/workflow";
import type { EngineActivities, SweepRequest, SweepResult } from "../activities/engine-contract.js";
import { hostQueue } from "../model/queues.js";

/** Removes containers of one host whose workflow is over: what a worker left that never came back. */
export async function orphanSweep(request: SweepRequest): Promise<SweepResult> {
  const { sweepOrphans } = proxyActivities<EngineActivities>({
    taskQueue: hostQueue(request.hostId),
    startToCloseTimeout: "30 minutes",
    heartbeatTimeout: "10 seconds",
    retry: {
      initialInterval: "1 second",
      backoffCoefficient: 2,
      maximumInterval: "1 minute",
      maximumAttempts: 3,
    },
  });
  const result = await sweepOrphans(request);
  setCurrentDetails(`Removed: ${result.removed.length}. Kept: ${result.kept}. Engine: ${result.engine}.`);
  return result;
}
