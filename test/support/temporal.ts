import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { Client, Connection } from "@temporalio/client";
import { DefaultLogger, NativeConnection, Runtime, Worker } from "@temporalio/worker";
import { inject } from "vitest";
import type { MigrationActivities } from "../../src/activities/contract.js";
import { HOST_WORKER_OPTIONS } from "../../src/worker/host-options.js";
import { hostQueue } from "../../src/model/queues.js";

let installed = false;

/** A client of the run's Temporal server. */
export async function connectClient(): Promise<Client> {
  return new Client({ connection: await Connection.connect({ address: inject("temporalAddress") }) });
}

export interface RunningHost {
  readonly hostId: string;
  readonly workflowQueue: string;
  /** Resolves when both workers have stopped. */
  shutdown(): Promise<void>;
}

/** Lets this process's workers say only what is wrong. */
export function quietRuntime(): void {
  if (!installed) Runtime.install({ logger: new DefaultLogger("ERROR") });
  installed = true;
}

/** Workers for a host of its own and a workflow queue of its own, with the given activities. */
export async function startHost(activities: MigrationActivities): Promise<RunningHost> {
  quietRuntime();
  const hostId = `test-${randomBytes(4).toString("hex")}`;
  const workflowQueue = `towpath-${hostId}`;
  const connection = await NativeConnection.connect({ address: inject("temporalAddress") });
  const workflowBundle = { code: await readFile(inject("workflowBundle"), "utf8") };
  const workers = await Promise.all([
    Worker.create({ connection, taskQueue: workflowQueue, workflowBundle }),
    Worker.create({
      connection,
      taskQueue: hostQueue(hostId),
      workflowBundle,
      activities: { ...activities },
      ...HOST_WORKER_OPTIONS,
    }),
  ]);
  const running = Promise.all(workers.map((worker) => worker.run()));
  return {
    hostId,
    workflowQueue,
    shutdown: async () => {
      for (const worker of workers) worker.shutdown();
      await running;
      await connection.close();
    },
  };
}
