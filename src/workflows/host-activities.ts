import { ActivityCancellationType, proxyActivities } from "@temporalio/workflow";
import type { ActivityInterfaceFor } from "@temporalio/workflow";
import type { MigrationActivities } from "../activities/contract.js";
import { hostQueue } from "../model/queues.js";

type Proxy = ActivityInterfaceFor<MigrationActivities>;

/** The activities of the host that holds a migration, by how long they take. */
export interface HostActivities {
  /** Files and a little git: a few milliseconds, seconds at the worst. */
  readonly quick: Pick<
    Proxy,
    | "createMigration"
    | "adoptMigration"
    | "startPhase"
    | "nextSteps"
    | "tolerateFailure"
    | "skipStep"
    | "recordApproval"
    | "advancePhase"
    | "recordWaiting"
  >;
  /** Commands and large git work: they heartbeat, and a missing heartbeat means that the worker is gone. */
  readonly long: Pick<
    Proxy,
    | "layWorkspace"
    | "runSetup"
    | "decideRequirements"
    | "generateRequirements"
    | "runBaseline"
    | "attemptStep"
    | "checkGate"
    | "rollbackTo"
    | "continueWithSpec"
    | "finishMigration"
  >;
}

/** The activity proxies for one host's queue. */
export function activitiesOf(hostId: string): HostActivities {
  const taskQueue = hostQueue(hostId);
  return {
    quick: proxyActivities<MigrationActivities>({
      taskQueue,
      startToCloseTimeout: "1 minute",
      heartbeatTimeout: "5 seconds",
      retry: {
        initialInterval: "200 milliseconds",
        backoffCoefficient: 2,
        maximumInterval: "10 seconds",
        maximumAttempts: 6,
      },
      // A quick write that has begun is waited for: cancelling would leave it unknown whether it happened.
      cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    }),
    long: proxyActivities<MigrationActivities>({
      taskQueue,
      startToCloseTimeout: "7 days",
      heartbeatTimeout: "5 seconds",
      retry: {
        initialInterval: "200 milliseconds",
        backoffCoefficient: 2,
        maximumInterval: "10 seconds",
        maximumAttempts: 6,
      },
      cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    }),
  };
}
