import type { Logger } from "@temporalio/common";
import { NativeConnection, Worker, type State, type WorkflowBundleOption } from "@temporalio/worker";
import { connect } from "../adapters/temporal/connect.js";
import { connectionOptions, type TemporalEndpoint } from "../adapters/temporal/endpoint.js";
import { ensureSearchAttributes } from "../adapters/temporal/search-attributes.js";
import { WORKFLOW_QUEUE, hostQueue, type HostId } from "../model/queues.js";
import { SEARCH_ATTRIBUTES } from "../model/visibility.js";
import { HOST_WORKER_OPTIONS } from "./host-options.js";

/** How long running activities may go on after a stop was asked for; then they are cancelled. */
export const GRACE_MS = 10_000;
/** After this a worker gives up waiting for activities that do not even react to cancellation. */
export const FORCE_MS = 20_000;

export interface SessionOptions {
  readonly endpoint: TemporalEndpoint;
  readonly hostId: HostId;
  readonly activities: object;
  readonly workflowBundle: WorkflowBundleOption;
  readonly maxActivities: number;
  readonly logger: Logger;
}

/** Two workers on one connection: workflow tasks, and the activities of this host. */
export interface Session {
  states(): { readonly workflow: State; readonly host: State };
  /** Resolves when both have stopped; where one fails the other is stopped too, and the failure is thrown. */
  run(): Promise<void>;
  shutdown(): void;
}

/**
 * Connects and makes both workers ready to run.
 * @throws TowpathError `TemporalUnreachable`; `TemporalUnavailable` where search attributes are missing
 */
export async function openSession(options: SessionOptions): Promise<Session> {
  // First with the client, whose errors say what is wrong; the native connection's hardly do.
  await registerSearchAttributes(options.endpoint);
  const connection = await NativeConnection.connect(connectionOptions(options.endpoint));
  try {
    const workflow = await workflowWorker(options, connection);
    const host = await hostWorker(options, connection).catch((error: unknown) => discard(workflow, error));
    return session(workflow, host, connection);
  } catch (error) {
    await connection.close();
    throw error;
  }
}

/** A workflow task that writes a search attribute which the namespace does not have fails, again and again. */
async function registerSearchAttributes(endpoint: TemporalEndpoint): Promise<void> {
  const { connection } = await connect(endpoint);
  try {
    await ensureSearchAttributes(connection, endpoint.namespace, SEARCH_ATTRIBUTES);
  } finally {
    await connection.close();
  }
}

/** A worker that was made and not run holds its connection for ever; only one that ran lets go of it. */
async function discard(worker: Worker, reason: unknown): Promise<never> {
  const run = worker.run();
  worker.shutdown();
  await run;
  throw reason;
}

function session(workflow: Worker, host: Worker, connection: NativeConnection): Session {
  const both = [workflow, host] as const;
  const shutdown = (): void => {
    for (const worker of both) if (worker.getState() === "RUNNING") worker.shutdown();
  };
  return {
    states: () => ({ workflow: workflow.getState(), host: host.getState() }),
    shutdown,
    run: async () => {
      const runs = both.map((worker) => worker.run().finally(shutdown));
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
  });
}

function hostWorker(options: SessionOptions, connection: NativeConnection): Promise<Worker> {
  return Worker.create({
    ...common(options, connection),
    taskQueue: hostQueue(options.hostId),
    // What concerns this host's engine alone is decided here as well.
    workflowBundle: options.workflowBundle,
    activities: options.activities,
    ...HOST_WORKER_OPTIONS,
    maxConcurrentActivityTaskExecutions: options.maxActivities,
  });
}

function common(options: SessionOptions, connection: NativeConnection) {
  return {
    connection,
    namespace: options.endpoint.namespace,
    identity: `${process.pid}@${options.hostId}`,
    shutdownGraceTime: GRACE_MS,
    shutdownForceTime: FORCE_MS,
  };
}
