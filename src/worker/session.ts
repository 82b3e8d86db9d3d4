import type { Logger } from "@temporalio/common";
import {
  NativeConnection,
  Worker,
  type ActivityInterceptorsFactory,
  type State,
  type WorkerOptions,
  type WorkflowBundleOption,
} from "@temporalio/worker";
import type { Client } from "@temporalio/client";
import { connect } from "../adapters/temporal/connect.js";
import { ensureCurrentVersion, type DeploymentVersion } from "../adapters/temporal/deployment.js";
import { workerDataConverterOf } from "../adapters/temporal/encryption/data-converter.js";
import { connectionOptions, type TemporalEndpoint } from "../adapters/temporal/endpoint.js";
import { ensureSearchAttributes } from "../adapters/temporal/search-attributes.js";
import { createFleetActivities } from "../activities/fleet.js";
import { createPresence } from "../activities/presence.js";
import { BEAT_MS, presenceQueue } from "../model/hosts.js";
import { WORKFLOW_QUEUE, hostQueue } from "../model/queues.js";
import type { Tracing } from "../adapters/tracing/current.js";
import { SEARCH_ATTRIBUTES } from "../model/visibility.js";
import { type HostIdentity, requireHost } from "./host-claim.js";
import { HOST_WORKER_OPTIONS } from "./host-options.js";
import { stepMetrics } from "./step-metrics.js";

/** How long running activities may go on after a stop was asked for; then they are cancelled. */
export const GRACE_MS = 10_000;
/** After this a worker gives up waiting for activities that do not even react to cancellation. */
export const FORCE_MS = 20_000;

export interface SessionOptions {
  readonly endpoint: TemporalEndpoint;
  readonly host: HostIdentity;
  readonly version: string;
  readonly startedAt: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly activities: object;
  readonly workflowBundle: WorkflowBundleOption;
  readonly maxActivities: number;
  readonly logger: Logger;
  /** Aborted when it is no longer wanted. */
  readonly stop: AbortSignal;
  readonly tracing: Tracing | null;
  /** The build that this worker is, where Temporal tells builds apart. */
  readonly deployed: DeploymentVersion | null;
}

/** Workers on one connection: workflow tasks, the activities of this host, and that it is there. */
export interface Session {
  states(): { readonly workflow: State; readonly host: State };
  /** Resolves when all have stopped; where one fails the others are stopped too, and the failure is thrown. */
  run(): Promise<void>;
  shutdown(): void;
}

/**
 * Connects, sees to it that nobody else serves this host, and makes everything ready to run.
 * @throws TowpathError `TemporalUnreachable`; `TemporalUnavailable` where search attributes are missing; `WrongStatus`
 * where another worker has this host
 */
export async function openSession(options: SessionOptions): Promise<Session> {
  // First with the client, whose errors say what is wrong; the native connection's hardly do.
  const client = await connect(options.endpoint);
  try {
    // A workflow task that writes a search attribute which the namespace does not have fails, again and again.
    await ensureSearchAttributes(client.connection, options.endpoint.namespace, SEARCH_ATTRIBUTES);
    const connection = await NativeConnection.connect(connectionOptions(options.endpoint));
    try {
      return await openWorkers(options, client, connection);
    } catch (error) {
      await connection.close();
      throw error;
    }
  } finally {
    await client.connection.close();
  }
}

async function openWorkers(
  options: SessionOptions,
  client: Client,
  connection: NativeConnection,
): Promise<Session> {
  const workflow = await workflowWorker(options, connection);
  // It runs first, for a host is claimed through a workflow, and nothing of the host may be served before.
  const deciding = workflow.run();
  try {
    if (options.deployed !== null)
      await Promise.race([ensureCurrentVersion(client, options.deployed), deciding]);
    await Promise.race([requireHost(client, options.host, options.stop), deciding]);
    const host = await hostWorker(options, connection);
    try {
      const presence = await presenceWorker(options, connection, host);
      return session({ workflow, deciding, host, presence, connection });
    } catch (error) {
      return await discard(host, error);
    }
  } catch (error) {
    if (workflow.getState() === "RUNNING") workflow.shutdown();
    await deciding;
    throw error;
  }
}

/** A worker that was made and not run holds its connection for ever; only one that ran lets go of it. */
async function discard(worker: Worker, reason: unknown): Promise<never> {
  const run = worker.run();
  worker.shutdown();
  await run;
  throw reason;
}

interface Running {
  readonly workflow: Worker;
  /** The workflow worker's run. */
  readonly deciding: Promise<void>;
  readonly host: Worker;
  readonly presence: Worker;
  readonly connection: NativeConnection;
}

function session({ workflow, deciding, host, presence, connection }: Running): Session {
  const shutdown = (): void => {
    for (const worker of [presence, workflow, host]) if (worker.getState() === "RUNNING") worker.shutdown();
  };
  return {
    states: () => ({ workflow: workflow.getState(), host: host.getState() }),
    shutdown,
    run: async () => {
      const runs = [deciding, host.run(), presence.run()].map((run) => run.finally(shutdown));
      const outcomes = await Promise.allSettled(runs);
      await connection.close();
      const failed = outcomes.find((outcome) => outcome.status === "rejected");
      if (failed !== undefined) throw failed.reason;
    },
  };
}

function workflowWorker(options: SessionOptions, connection: NativeConnection): Promise<Worker> {
  return Worker.create({
    ...common(options, connection),
    taskQueue: WORKFLOW_QUEUE,
    workflowBundle: options.workflowBundle,
    activities: { ...createFleetActivities() },
    ...versioning(options.deployed),
  });
}

/**
 * Migrations go on with the build that is current when they are next decided: they may last for weeks, and every build
 * replays the histories of those before. What a host does is done by the one worker that it has, of whatever build.
 */
function versioning(deployed: DeploymentVersion | null): Pick<WorkerOptions, "workerDeploymentOptions"> {
  if (deployed === null) return {};
  return {
    workerDeploymentOptions: {
      version: deployed,
      useWorkerVersioning: true,
      defaultVersioningBehavior: "AUTO_UPGRADE",
    },
  };
}

function hostWorker(options: SessionOptions, connection: NativeConnection): Promise<Worker> {
  return Worker.create({
    ...common(options, connection),
    taskQueue: hostQueue(options.host.hostId),
    // What concerns this host's engine alone is decided here as well.
    workflowBundle: options.workflowBundle,
    activities: options.activities,
    ...HOST_WORKER_OPTIONS,
    interceptors: { activity: activityInterceptors(options) },
    maxConcurrentActivityTaskExecutions: options.maxActivities,
  });
}

/** Says that this host is there, and how it is; whatever else the host does, it takes no slot of it. */
function presenceWorker(
  options: SessionOptions,
  connection: NativeConnection,
  host: Worker,
): Promise<Worker> {
  const { hostId, ...identity } = options.host;
  const { env: environment, version, startedAt, maxActivities: slots } = options;
  const occupancy = () => ({ running: host.getStatus().numInFlightActivities, slots });
  const presence = { ...identity, environment, version, startedAt, occupancy };
  return Worker.create({
    ...common(options, connection),
    taskQueue: presenceQueue(hostId),
    activities: { ...createPresence(presence) },
    maxConcurrentActivityTaskExecutions: 2,
    activityTaskPollerBehavior: { type: "simple-maximum", maximum: 1 },
    maxHeartbeatThrottleInterval: BEAT_MS,
    // It ends with the worker, at once: that is what it tells.
    shutdownGraceTime: 0,
  });
}

/** The outermost first: what becomes of an error is seen by those within as it was thrown. */
function activityInterceptors({ tracing }: SessionOptions): ActivityInterceptorsFactory[] {
  const traced = tracing === null ? [] : [tracing.activities];
  return [...HOST_WORKER_OPTIONS.interceptors.activity, stepMetrics, ...traced];
}

function common(options: SessionOptions, connection: NativeConnection) {
  return {
    connection,
    namespace: options.endpoint.namespace,
    dataConverter: workerDataConverterOf(options.endpoint),
    ...(options.tracing === null ? {} : { sinks: options.tracing.workflowSinks }),
    identity: `${process.pid}@${options.host.hostId}`,
    shutdownGraceTime: GRACE_MS,
    shutdownForceTime: FORCE_MS,
  };
}
