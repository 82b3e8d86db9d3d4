import { randomBytes } from "node:crypto";
import type { Client, WorkflowHandleWithFirstExecutionRunId } from "@temporalio/client";
import type { MigrationInput } from "../../src/model/messages.js";
import type { migration } from "../../src/workflows/migration.js";
import * as contract from "../../src/workflows/migration.contract.js";
import { type RunningHost, startHost } from "../support/temporal.js";
import { type Script, ScriptedActivities } from "./scripted-activities.js";

export interface Started {
  readonly handle: WorkflowHandleWithFirstExecutionRunId<typeof migration>;
  readonly host: ScriptedActivities;
}

/** Starts a migration whose activities follow a script; the host is added to `hosts`, to be shut down by the caller. */
export async function startScripted(
  client: Client,
  hosts: RunningHost[],
  script: Script = {},
  input: Partial<MigrationInput> = {},
): Promise<Started> {
  const host = new ScriptedActivities(script);
  const running = await startHost(host.activities);
  hosts.push(running);
  const migrationId = `mig_20260101_000000_test-${randomBytes(3).toString("hex")}`;
  const handle = await client.workflow.start<typeof migration>(contract.MIGRATION_WORKFLOW, {
    workflowId: migrationId,
    taskQueue: running.workflowQueue,
    args: [
      {
        migrationId,
        name: "test",
        target: "python3",
        hostId: running.hostId,
        source: "/nowhere",
        spec: { fileName: "towpath.yaml", text: "version: 1" },
        params: {},
        manual: false,
        allowHost: true,
        author: { name: "Ada", email: "ada@example.org" },
        startedBy: "ada",
        ...input,
      },
    ],
  });
  return { handle, host };
}
