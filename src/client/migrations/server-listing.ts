import type { Client, WorkflowExecutionInfo } from "@temporalio/client";
import { z } from "zod";
import { MigrationStatus, isTerminal } from "../../model/manifest.js";
import { MIGRATION_WORKFLOW } from "../../workflows/migration.contract.js";
import type { ListedMigration } from "../render/list.js";
import { asTowpathError } from "./failures.js";

/** More are no list for people; the newest come first. */
const MAX_LISTED = 1000;

const Memo = z.object({
  target: z.string().catch(""),
  source: z.string().catch(""),
  host: z.string().catch(""),
  waiting: z.string().catch(""),
});

/** What the workflow has last written of itself; one that has not begun yet has written nothing. */
const Attributes = z.object({
  TowpathStatus: z.string().optional(),
  TowpathPhase: z.string().catch(""),
  TowpathProgress: z.number().nullable().catch(null),
});

function attributesOf(execution: WorkflowExecutionInfo): z.infer<typeof Attributes> {
  const pairs = execution.typedSearchAttributes.getAll();
  return Attributes.parse(Object.fromEntries(pairs.map(({ key, value }) => [key.name, value])));
}

async function executions(client: Client): Promise<WorkflowExecutionInfo[]> {
  const found: WorkflowExecutionInfo[] = [];
  try {
    for await (const execution of client.workflow.list({ query: `WorkflowType = "${MIGRATION_WORKFLOW}"` })) {
      found.push(execution);
      if (found.length >= MAX_LISTED) break;
    }
    return found;
  } catch (error) {
    throw asTowpathError(error);
  }
}

function remoteRow(execution: WorkflowExecutionInfo): ListedMigration {
  const { waiting, ...memo } = Memo.parse(execution.memo ?? {});
  const { TowpathStatus: status, TowpathPhase: phase, TowpathProgress: progress } = attributesOf(execution);
  return {
    id: execution.workflowId,
    status: statusOf(execution, status),
    phase,
    progress,
    waitingFor: execution.status.name === "RUNNING" ? waiting : "",
    startedAt: execution.startTime.toISOString(),
    ...memo,
    known: ["server"],
    error: null,
  };
}

/** A workflow that Temporal has ended no longer writes what it is: then Temporal's own word counts. */
function statusOf(execution: WorkflowExecutionInfo, written: string | undefined): string {
  const known = MigrationStatus.safeParse(written);
  if (execution.status.name === "RUNNING") return known.data ?? "in_progress";
  return known.success && isTerminal(known.data) ? known.data : execution.status.name.toLowerCase();
}

/** What the directory says is more exact, unless Temporal has ended the workflow and the directory does not know. */
function joined(local: ListedMigration, remote: ListedMigration): ListedMigration {
  const known = ["local", "server"] as const;
  const status = MigrationStatus.safeParse(local.status);
  const over = status.success && isTerminal(status.data);
  const remoteStatus = MigrationStatus.safeParse(remote.status);
  const ended = !remoteStatus.success || isTerminal(remoteStatus.data);
  if (local.error !== null) return { ...remote, status: local.status, error: local.error, known };
  return ended && !over ? { ...local, status: remote.status, waitingFor: "", known } : { ...local, known };
}

/** The data directory's migrations together with those that only the server knows, the newest last. */
export async function mergedRows(
  local: readonly ListedMigration[],
  client: Client,
): Promise<ListedMigration[]> {
  const remote = new Map(
    (await executions(client)).map((execution) => [execution.workflowId, remoteRow(execution)]),
  );
  const here = local.map((row) => {
    const known = remote.get(row.id);
    remote.delete(row.id);
    return known === undefined ? row : joined(row, known);
  });
  return [...here, ...remote.values()].sort((a, b) => (a.id < b.id ? -1 : Number(a.id > b.id)));
}
