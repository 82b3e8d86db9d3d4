import type { Client } from "@temporalio/client";
import { type KnownHost, listHosts, readHost } from "../../adapters/temporal/hosts.js";
import { TowpathError } from "../../model/errors.js";
import type { HostAbsence } from "../../model/hosts.js";
import { HostId } from "../../model/queues.js";
import { MIGRATION_WORKFLOW } from "../../workflows/migration.contract.js";
import { asTowpathError } from "../migrations/failures.js";

/** A host, with how much it holds. */
export interface HostView extends KnownHost {
  /** Migrations that are not over. */
  readonly migrations: number;
}

/**
 * Every host that Temporal knows, with the migrations that it holds.
 * @throws TowpathError `TemporalUnreachable`
 */
export async function hostViews(client: Client): Promise<HostView[]> {
  return asking(async () => {
    const hosts = await listHosts(client, new Date());
    return Promise.all(hosts.map((host) => withMigrations(client, host)));
  });
}

/**
 * One host.
 * @throws TowpathError `Usage` where that is no host id, `HostNotFound`, `TemporalUnreachable`
 */
export async function requireHostView(client: Client, hostId: string): Promise<HostView> {
  if (!HostId.safeParse(hostId).success) {
    throw new TowpathError("Usage", `'${hostId}' is no host id: \`towpath hosts\` lists them.`);
  }
  const host = await asking(() => readHost(client, hostId, new Date()));
  if (host !== null) return withMigrations(client, host);
  throw new TowpathError(
    "HostNotFound",
    `Host not found: ${hostId}. \`towpath hosts\` lists those that are known.`,
  );
}

/**
 * That a migration's host is away, or null where it is there, or Temporal has never heard of it.
 * @throws TowpathError `TemporalUnreachable`
 */
export async function absenceOf(client: Client, hostId: string): Promise<HostAbsence | null> {
  const host = await asking(() => readHost(client, hostId, new Date()));
  if (host === null || host.isHere) return null;
  const { machine = "", dataDir = "" } = host.record?.place ?? host.place ?? {};
  return { hostId, lastSeen: host.lastSeen, machine, dataDir };
}

async function withMigrations(client: Client, host: KnownHost): Promise<HostView> {
  const { hostId } = host;
  const query = `WorkflowType = "${MIGRATION_WORKFLOW}" AND ExecutionStatus = "Running" AND TowpathHost = "${hostId}"`;
  return { ...host, migrations: (await asking(() => client.workflow.count(query))).count };
}

async function asking<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    throw asTowpathError(error);
  }
}
