import type { Client, WorkflowExecutionInfo } from "@temporalio/client";
import { z } from "zod";
import { MigrationStatus, isTerminal } from "../../model/manifest.js";
import { TowpathError } from "../../model/errors.js";
import { MIGRATION_WORKFLOW } from "../../workflows/migration.contract.js";
import type { ListedMigration } from "../render/list.js";
import { percentage } from "../render/progress.js";
import { asTowpathError } from "./failures.js";
import { RemoteMigration } from "./remote.js";

/** More are no list for people; the newest come first. */
const MAX_LISTED = 1000;
/** Of migrations on other hosts only the workflow knows the phase; asking each costs a worker a few milliseconds. */
const MAX_ASKED = 50;
const ASKED_AT_ONCE = 10;

const Memo = z.object({
  target: z.string().catch(""),
  source: z.string().catch(""),
  host: z.string().catch(""),
});

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
  const memo = Memo.parse(execution.memo ?? {});
  const status = execution.status.name;
  return {
    id: execution.workflowId,
    status: status === "RUNNING" ? "in_progress" : status.toLowerCase(),
    phase: "",
    progress: null,
    waitingFor: "",
    startedAt: execution.startTime.toISOString(),
    ...memo,
    known: ["server"],
    error: null,
  };
}

/** What the directory says is more exact, unless Temporal has ended the workflow and the directory does not know. */
function joined(local: ListedMigration, remote: ListedMigration): ListedMigration {
  const known = ["local", "server"] as const;
  const status = MigrationStatus.safeParse(local.status);
  const over = status.success && isTerminal(status.data);
  const ended = remote.status !== "in_progress";
  if (local.error !== null) return { ...remote, status: local.status, error: local.error, known };
  return ended && !over ? { ...local, status: remote.status, waitingFor: "", known } : { ...local, known };
}

async function asked(row: ListedMigration, client: Client): Promise<ListedMigration> {
  try {
    const view = await new RemoteMigration(client, row.id).progress();
    return {
      ...row,
      status: view.status,
      phase: view.phase,
      progress: percentage(view),
      waitingFor: view.waiting?.message ?? "",
    };
  } catch (error) {
    // No worker answers for it now: the list shows what the server itself knows.
    if (!(error instanceof TowpathError)) throw error;
    return error.category === "unreachable" ? row : { ...row, error: error.message };
  }
}

async function withAnswers(rows: readonly ListedMigration[], client: Client): Promise<ListedMigration[]> {
  const answered: ListedMigration[] = [];
  for (let first = 0; first < rows.length; first += ASKED_AT_ONCE) {
    const batch = rows.slice(first, first + ASKED_AT_ONCE);
    answered.push(...(await Promise.all(batch.map((row) => asked(row, client)))));
  }
  return answered;
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
  const elsewhere = [...remote.values()];
  const running = elsewhere.filter((row) => row.status === "in_progress").slice(0, MAX_ASKED);
  const answers = new Map((await withAnswers(running, client)).map((row) => [row.id, row]));
  const others = elsewhere.map((row) => answers.get(row.id) ?? row);
  return [...here, ...others].sort((a, b) => (a.id < b.id ? -1 : Number(a.id > b.id)));
}
