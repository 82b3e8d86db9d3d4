import type { WorkerOptions } from "@temporalio/worker";
import { activityErrors } from "./activity-errors.js";

/** What every worker of a host's queue has in common, whatever runs it. */
export const HOST_WORKER_OPTIONS = {
  interceptors: { activity: [activityErrors] },
  // A cancellation reaches an activity with the answer to a heartbeat; throttled to 4 s, a stop would take that long.
  maxHeartbeatThrottleInterval: "1 second",
} as const satisfies Partial<WorkerOptions>;
