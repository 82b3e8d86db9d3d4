import { Context } from "@temporalio/activity";
import { HOST_ABSENCE_SIGNAL, type HostAbsence } from "../model/hosts.js";
import type { FleetActivities, Told } from "./fleet-contract.js";
import { heartbeating } from "./heartbeat.js";

/** The activities that any worker does, whichever host it is. */
export function createFleetActivities(): FleetActivities {
  return { tellMigrations: ({ hostId, absence }) => heartbeating(() => tell(hostId, absence)) };
}

/** Told twice is told once: each migration keeps only the last that it heard. */
async function tell(hostId: string, absence: HostAbsence | null): Promise<Told> {
  const { workflow } = Context.current().client;
  const query = `WorkflowType = "migration" AND ExecutionStatus = "Running" AND TowpathHost = "${hostId}"`;
  let told = 0;
  for await (const { workflowId } of workflow.list({ query })) {
    try {
      await workflow.getHandle(workflowId).signal(HOST_ABSENCE_SIGNAL, absence);
      told += 1;
    } catch (error) {
      // It ended while the list was read.
      if (!(error instanceof Error) || error.name !== "WorkflowNotFoundError") throw error;
    }
  }
  return { told };
}
