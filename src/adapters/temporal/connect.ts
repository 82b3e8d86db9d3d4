import type { Client, Connection } from "@temporalio/client";
import { TowpathError, messageOf } from "../../model/errors.js";
import { connectionOptions, describeEndpoint, type TemporalEndpoint } from "./endpoint.js";

const DEFAULT_TIMEOUT_MS = 5_000;
const FRONTEND = "temporal.api.workflowservice.v1.WorkflowService";

/** As `grpc.health.v1` numbers it. */
const SERVING = 1;

/** Status codes of gRPC that are told apart here. */
const GRPC = { notFound: 5, permissionDenied: 7, unauthenticated: 16 } as const;

/**
 * Connects a client, and proves that the namespace is there.
 * The caller closes `client.connection`.
 * @throws TowpathError `TemporalUnreachable`; its message names the address and never a secret
 */
export async function connect(
  endpoint: TemporalEndpoint,
  options: { readonly timeoutMs?: number } = {},
): Promise<Client> {
  const timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  const { Client: TemporalClient } = await import("./library.js");
  const connection = await openConnection(endpoint, timeoutMs);
  try {
    await requireNamespace(connection, endpoint, timeoutMs);
    return new TemporalClient({ connection, namespace: endpoint.namespace });
  } catch (error) {
    await connection.close();
    throw error;
  }
}

/**
 * Asks the server itself whether it serves, and whether the namespace is there.
 * @returns null when it is healthy, else why not
 */
export async function healthProblem(endpoint: TemporalEndpoint, timeoutMs: number): Promise<string | null> {
  try {
    const connection = await openConnection(endpoint, timeoutMs);
    try {
      await requireNamespace(connection, endpoint, timeoutMs);
      const answer = await connection.withDeadline(Date.now() + timeoutMs, () =>
        connection.healthService.check({ service: FRONTEND }),
      );
      const status: number = answer.status;
      return status === SERVING ? null : `its health check answers ${status} instead of ${SERVING} (SERVING)`;
    } finally {
      await connection.close();
    }
  } catch (error) {
    return messageOf(error);
  }
}

async function openConnection(endpoint: TemporalEndpoint, timeoutMs: number): Promise<Connection> {
  const { Connection: TemporalConnection } = await import("./library.js");
  try {
    return await TemporalConnection.connect({ ...connectionOptions(endpoint), connectTimeout: timeoutMs });
  } catch (cause) {
    throw unreachable(endpoint, cause);
  }
}

async function requireNamespace(
  connection: Connection,
  endpoint: TemporalEndpoint,
  timeoutMs: number,
): Promise<void> {
  try {
    await connection.withDeadline(Date.now() + timeoutMs, () =>
      connection.workflowService.describeNamespace({ namespace: endpoint.namespace }),
    );
  } catch (cause) {
    // Some keys may run workflows and yet not describe their namespace.
    if (grpcCode(cause) !== GRPC.permissionDenied) throw unreachable(endpoint, cause);
  }
}

function unreachable(endpoint: TemporalEndpoint, cause: unknown): TowpathError {
  return new TowpathError(
    "TemporalUnreachable",
    `Temporal at ${describeEndpoint(endpoint)} ${whatHappened(cause)}`,
    { cause, details: { address: endpoint.address, namespace: endpoint.namespace } },
  );
}

function whatHappened(cause: unknown): string {
  const code = grpcCode(cause);
  if (code === GRPC.notFound) return "has no such namespace. Create it, or set TEMPORAL_NAMESPACE.";
  if (code === GRPC.unauthenticated || code === GRPC.permissionDenied)
    return "refuses the credentials. Check TEMPORAL_API_KEY or the TLS files of the profile.";
  const reason = messageOf(cause).replace(/\.$/, "");
  return `cannot be reached: ${reason}. Check TEMPORAL_ADDRESS and that the server runs; \`towpath doctor\` tells more.`;
}

function grpcCode(error: unknown): number | null {
  return typeof error === "object" && error !== null && "code" in error && typeof error.code === "number"
    ? error.code
    : null;
}
