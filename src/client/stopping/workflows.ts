import type { Client } from "@temporalio/client";
import { connect } from "../../adapters/temporal/connect.js";
import { embeddedEndpoint, embeddedStatus } from "../../adapters/temporal/embedded.js";
import type { TemporalEndpoint } from "../../adapters/temporal/endpoint.js";
import { EMBEDDED_NAMESPACE, temporalTarget } from "../../adapters/temporal/target.js";
import { TowpathError } from "../../model/errors.js";
import { stop as stopSignal } from "../../workflows/migration.contract.js";
import { workerStatus } from "../../worker/background.js";
import { RemoteMigration } from "../migrations/remote.js";

type Environment = Readonly<Record<string, string | undefined>>;

/** What became of asking a migration to stop. */
export interface AskedMigration {
  readonly id: string;
  /** `stopped`: it has cleaned up after itself; `asked`: it will, when a worker is there; `unreachable`: nobody could be asked. */
  readonly result: "stopped" | "asked" | "unreachable";
}

/** The namespace in which this host's migrations run, whether anything answers or not. */
export function namespaceOf(env: Environment): string {
  const target = temporalTarget(env);
  return target.kind === "configured" ? target.endpoint.namespace : EMBEDDED_NAMESPACE;
}

/**
 * Asks migrations to stop and waits for those that can: nothing is started for it, for what is to end must not begin.
 * @param withinMs how long they may take, all together
 */
export async function askToStop(
  ids: readonly string[],
  request: { readonly by: string; readonly reason: string },
  surroundings: { readonly env: Environment; readonly dataDir: string; readonly withinMs: number },
): Promise<AskedMigration[]> {
  if (ids.length === 0) return [];
  const { env, dataDir, withinMs } = surroundings;
  const client = await reachable(env, dataDir);
  if (client === null) return ids.map((id) => ({ id, result: "unreachable" }));
  try {
    const waitMs = (await workerStatus(dataDir))?.report?.status === "running" ? withinMs : 0;
    return await Promise.all(ids.map((id) => ask(new RemoteMigration(client, id), request, waitMs)));
  } finally {
    await client.connection.close();
  }
}

async function ask(
  migration: RemoteMigration,
  request: { readonly by: string; readonly reason: string },
  waitMs: number,
): Promise<AskedMigration> {
  const { id } = migration;
  try {
    await migration.signal(stopSignal, request);
    const stopped = waitMs > 0 && (await migration.ended(waitMs));
    return { id, result: stopped ? "stopped" : "asked" };
  } catch (error) {
    if (!(error instanceof TowpathError)) throw error;
    // Over already, or unknown to this server: then its directory alone still says that it runs.
    if (error.type === "WrongStatus") return { id, result: "stopped" };
    if (error.category === "unreachable" || error.category === "not-found")
      return { id, result: "unreachable" };
    throw error;
  }
}

async function reachable(env: Environment, dataDir: string): Promise<Client | null> {
  const endpoint = await answeringEndpoint(env, dataDir);
  if (endpoint === null) return null;
  try {
    return await connect(endpoint);
  } catch (error) {
    if (error instanceof TowpathError && error.category === "unreachable") return null;
    throw error;
  }
}

async function answeringEndpoint(env: Environment, dataDir: string): Promise<TemporalEndpoint | null> {
  const target = temporalTarget(env);
  if (target.kind === "configured") return target.endpoint;
  const { state, problem } = await embeddedStatus(dataDir);
  return state === null || problem !== null ? null : embeddedEndpoint(state, env);
}
