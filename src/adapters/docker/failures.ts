import { messageOf, TowpathError } from "../../model/errors.js";
import type { EngineEndpoint } from "./endpoint.js";

/** The engine's refusal of one call, before it is known what it means for the caller. */
export class EngineAnswer extends Error {
  override readonly name = "EngineAnswer";
  constructor(
    /** HTTP status. */
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

/** True when the engine answered with one of these statuses. */
export function answered(error: unknown, ...statuses: readonly number[]): error is EngineAnswer {
  return error instanceof EngineAnswer && statuses.includes(error.status);
}

/** Turns what dockerode throws into the engine's answer, or into `EngineUnreachable` where there was none. */
export function asAnswer(error: unknown, endpoint: EngineEndpoint): unknown {
  if (error instanceof TowpathError || error instanceof EngineAnswer) return error;
  if (error instanceof Error && "statusCode" in error && typeof error.statusCode === "number") {
    return new EngineAnswer(error.statusCode, textOf(error));
  }
  return unreachable(endpoint, error);
}

/** The error for an engine that does not answer. */
export function unreachable(endpoint: EngineEndpoint, cause: unknown): TowpathError {
  return new TowpathError(
    "EngineUnreachable",
    `The container engine at ${endpoint.host} (${endpoint.source}) does not answer: ${reasonOf(cause)}. ` +
      "Start it, or set DOCKER_HOST",
    { cause, details: { engine: endpoint.host } },
  );
}

/** The error for an answer that nobody foresaw. */
export function engineFailed(what: string, error: unknown): unknown {
  if (!(error instanceof EngineAnswer)) return error;
  const type = error.status >= 500 ? "EngineFailed" : "EngineRefused";
  return new TowpathError(
    type,
    `The container engine could not ${what}: ${error.message} (HTTP ${error.status})`,
    {
      cause: error,
      details: { status: error.status },
    },
  );
}

function textOf(error: Error): string {
  const json = "json" in error ? error.json : undefined;
  if (typeof json === "object" && json !== null && "message" in json && typeof json.message === "string") {
    return json.message.trim();
  }
  return error.message.replace(/^\(HTTP code \d+\) [^-]*- /, "").trim();
}

function reasonOf(cause: unknown): string {
  if (cause instanceof Error && "code" in cause && typeof cause.code === "string") {
    const known: Readonly<Record<string, string>> = {
      ENOENT: "there is no such socket",
      ECONNREFUSED: "nothing listens there",
      EACCES: "this user may not use its socket",
      ENOTFOUND: "its name is unknown",
      ECONNRESET: "it ended the connection",
      ABORT_ERR: "it took too long",
    };
    return known[cause.code] ?? messageOf(cause);
  }
  return messageOf(cause);
}
