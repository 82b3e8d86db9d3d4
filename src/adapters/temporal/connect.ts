import type { Client, Connection } from "@temporalio/client";
import { TowpathError, messageOf } from "../../model/errors.js";
import { currentTracing } from "../tracing/current.js";
import { connectionOptions, describeEndpoint, type TemporalEndpoint } from "./endpoint.js";
import { tlsProblem } from "./tls-problem.js";

const DEFAULT_TIMEOUT_MS = 5_000;
const TLS_TIMEOUT_MS = 2_000;
const FRONTEND = "temporal.api.workflowservice.v1.WorkflowService";

/** As `grpc.health.v1` numbers it. */
const SERVING = 1;

/** Status codes of gRPC that are told apart here. */
const GRPC = {
  deadlineExceeded: 4,
  notFound: 5,
  permissionDenied: 7,
  unavailable: 14,
  unauthenticated: 16,
} as const;

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
  const { Client: TemporalClient, dataConverterOf } = await import("./library.js");
  const connection = await openConnection(endpoint, timeoutMs);
  try {
    await requireNamespace(connection, endpoint, timeoutMs);
    const tracing = currentTracing();
    return new TemporalClient({
      connection,
      namespace: endpoint.namespace,
      dataConverter: dataConverterOf(endpoint),
      interceptors: { workflow: tracing === null ? [] : [tracing.client] },
    });
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
    throw unreachable(endpoint, cause, await unlessAnswered(endpoint, cause, timeoutMs));
  }
}

/** A server that answered, if only with a refusal, has been reached. */
async function unlessAnswered(
  endpoint: TemporalEndpoint,
  cause: unknown,
  timeoutMs: number,
): Promise<string | null> {
  const code = grpcCode(cause);
  const isAnswer = code !== null && code !== GRPC.unavailable && code !== GRPC.deadlineExceeded;
  return isAnswer ? null : tlsProblem(endpoint, Math.min(timeoutMs, TLS_TIMEOUT_MS));
}

async function requireNamespace(
  connection: Connection,
  endpoint: TemporalEndpoint,
  timeoutMs: number,
): Promise<void> {
  const { namespace } = endpoint;
  try {
    await connection.withDeadline(Date.now() + timeoutMs, async () => {
      try {
        await connection.workflowService.describeNamespace({ namespace });
      } catch (cause) {
        if (grpcCode(cause) !== GRPC.permissionDenied) throw cause;
        // Some keys may run workflows and yet not describe their namespace; others may do nothing in it.
        await connection.workflowService.listWorkflowExecutions({ namespace, pageSize: 1 });
      }
    });
  } catch (cause) {
    throw unreachable(endpoint, cause);
  }
}

/** @param reason what is known better than the cause tells */
function unreachable(endpoint: TemporalEndpoint, cause: unknown, reason: string | null = null): TowpathError {
  const what = reason === null ? whatHappened(cause) : `cannot be reached: ${reason}`;
  return new TowpathError("TemporalUnreachable", `Temporal at ${describeEndpoint(endpoint)} ${what}`, {
    cause,
    details: { address: endpoint.address, namespace: endpoint.namespace },
  });
}

function whatHappened(cause: unknown): string {
  const code = grpcCode(cause);
  if (code === GRPC.notFound) return "has no such namespace. Create it, or set TEMPORAL_NAMESPACE.";
  if (code === GRPC.unauthenticated || code === GRPC.permissionDenied)
    return "refuses the credentials. Check TEMPORAL_API_KEY or the TLS files of the profile.";
  const reason = messageOf(cause).replace(/\.$/, "");
  return `cannot be reached: ${reason}. Check TEMPORAL_ADDRESS and that the server runs; \`towpath doctor\` tells more.`;
}

/** The first status code in the chain of causes: the SDK wraps what the server says to the first request. */
function grpcCode(error: unknown): number | null {
  if (typeof error !== "object" || error === null) return null;
  if ("code" in error && typeof error.code === "number") return error.code;
  return "cause" in error ? grpcCode(error.cause) : null;
}
