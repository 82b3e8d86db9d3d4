import { z } from "zod";

/** The lists that people ask for most. */
export const ListName = z.enum(["all", "waiting", "failed", "here", "containers"]);
export type ListName = z.infer<typeof ListName>;

/** The workflow type of migrations. */
const MIGRATIONS = 'WorkflowType = "migration"';

const WEEK_MS = 7 * 24 * 60 * 60 * 1000;

export interface ListFacts {
  readonly now: Date;
  readonly hostId: string;
}

/** The queries of the lists, as Temporal's visibility takes them: in the Web UI, and in its CLI's `workflow list --query`. */
export function listQuery(list: ListName, { now, hostId }: ListFacts): string {
  const weekAgo = new Date(now.getTime() - WEEK_MS).toISOString();
  const queries: Readonly<Record<ListName, string>> = {
    all: MIGRATIONS,
    waiting: `${MIGRATIONS} AND ExecutionStatus = "Running" AND TowpathWaitingFor IS NOT NULL`,
    failed: `${MIGRATIONS} AND ExecutionStatus IN ("Failed", "Terminated", "TimedOut") AND CloseTime > "${weekAgo}"`,
    here: `${MIGRATIONS} AND TowpathHost = "${hostId}"`,
    containers: `${MIGRATIONS} AND ExecutionStatus = "Running" AND TowpathKind = "container" AND TowpathHost = "${hostId}"`,
  };
  return queries[list];
}
