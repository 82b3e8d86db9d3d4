import {
  QueryNotRegisteredError,
  WorkflowFailedError,
  WorkflowUpdateFailedError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
  isGrpcCancelledError,
  isGrpcDeadlineError,
  isGrpcServiceError,
} from "@temporalio/client";
import { ApplicationFailure, WorkflowNotFoundError } from "@temporalio/common";
import { TowpathError, isErrorType, messageOf } from "../../model/errors.js";

/** gRPC status codes that say that nobody could answer, as opposed to an answer that is an error. */
const UNAVAILABLE_CODES: ReadonlySet<number> = new Set([4, 14]);
/**
 * Those of a server that is there and fails, or has too much to do: UNKNOWN, RESOURCE_EXHAUSTED, ABORTED, INTERNAL and
 * DATA_LOSS. A server that is killed in the middle of a call ends it with any of them.
 */
const TROUBLE_CODES: ReadonlySet<number> = new Set([2, 8, 10, 13, 15]);
/** Those that say that the credentials do not suffice. */
const REFUSAL_CODES: ReadonlySet<number> = new Set([7, 16]);
/** The server's word for a query that no worker is there to answer, or that none can answer yet. */
const FAILED_PRECONDITION = 9;

const NO_WORKER =
  "No worker answered. The migration goes on as soon as one runs: `towpath up` starts one in the background, `towpath doctor` shows what is wrong.";

function detailsOf(failure: ApplicationFailure): Readonly<Record<string, unknown>> {
  const first: unknown = failure.details?.[0];
  return typeof first === "object" && first !== null ? { ...first } : {};
}

/** The innermost application failure of an error from Temporal: what our own code threw. */
function applicationFailure(error: unknown): ApplicationFailure | null {
  let found: ApplicationFailure | null = null;
  for (let current = error; current instanceof Error; current = current.cause) {
    if (current instanceof ApplicationFailure) found = current;
  }
  return found;
}

function grpcCode(error: unknown): number | null {
  for (let current = error; current instanceof Error; current = current.cause) {
    if (isGrpcServiceError(current)) return current.code;
  }
  return null;
}

/** What was tried, and what the server, or the way to it, said to that. */
function wordsOf(error: unknown): string {
  const message = messageOf(error);
  for (let current = error; current instanceof Error; current = current.cause) {
    if (isGrpcServiceError(current) && !message.includes(current.details))
      return `${message}: ${current.details}`;
  }
  return message;
}

function ownFailure(error: Error): TowpathError {
  const failure = applicationFailure(error);
  const message = failure?.message ?? messageOf(error.cause ?? error);
  if (failure !== null && isErrorType(failure.type)) {
    return new TowpathError(failure.type, message, { cause: error, details: detailsOf(failure) });
  }
  return new TowpathError("Internal", message, { cause: error });
}

/** True where the time that the caller gave ran out. */
export function isDeadline(error: unknown): boolean {
  for (let current = error; current instanceof Error; current = current.cause) {
    const ranOut: boolean = isGrpcDeadlineError(current) || isGrpcCancelledError(current);
    if (ranOut) return true;
  }
  return false;
}

function isUnanswered(error: unknown): boolean {
  const code = grpcCode(error);
  return (
    error instanceof WorkflowUpdateRPCTimeoutOrCancelledError ||
    isDeadline(error) ||
    (code === FAILED_PRECONDITION && /no poller|worker/i.test(wordsOf(error)))
  );
}

/**
 * True where a query could not be answered at this moment, and may well be in the next: the server has just started and
 * no worker has come back to it yet, or the workflow's first task is still to be done, or its last one has failed.
 */
export function isNotReady(error: unknown): boolean {
  return grpcCode(error) === FAILED_PRECONDITION;
}

/** True where Temporal does not know the workflow, or its execution is closed: the server says both in one way. */
export function isGone(error: unknown): boolean {
  return error instanceof WorkflowNotFoundError;
}

/**
 * What an error of the Temporal client means to a user. What our own workflow threw keeps its type, message and
 * details; a missing worker and an unreachable server are told apart. `isGone` errors are the caller's.
 */
export function asTowpathError(error: unknown): TowpathError {
  if (error instanceof TowpathError) return error;
  if (error instanceof WorkflowUpdateFailedError || error instanceof WorkflowFailedError)
    return ownFailure(error);
  if (error instanceof QueryNotRegisteredError) {
    return new TowpathError(
      "Internal",
      `The worker that answered is of another version of Towpath (${messageOf(error)}). Restart it with: towpath down && towpath up`,
      { cause: error },
    );
  }
  if (isUnanswered(error)) return new TowpathError("TemporalUnreachable", NO_WORKER, { cause: error });
  const code = grpcCode(error);
  if (code !== null && UNAVAILABLE_CODES.has(code)) {
    return new TowpathError(
      "TemporalUnreachable",
      `Temporal cannot be reached: ${wordsOf(error)}. \`towpath doctor\` shows what is wrong.`,
      { cause: error },
    );
  }
  if (code !== null && TROUBLE_CODES.has(code)) {
    return new TowpathError(
      "TemporalUnreachable",
      `Temporal could not do it now: ${wordsOf(error)}. Try again; \`towpath doctor\` shows what is wrong.`,
      { cause: error },
    );
  }
  if (code === FAILED_PRECONDITION) {
    return new TowpathError(
      "TemporalUnreachable",
      `The migration's worker cannot answer: ${wordsOf(error)} Its log (\`worker.log\` in the data directory) says why.`,
      { cause: error },
    );
  }
  if (code !== null && REFUSAL_CODES.has(code)) {
    return new TowpathError(
      "TemporalUnreachable",
      `Temporal refuses this to the credentials that are used: ${wordsOf(error)}. They need the right to write in the namespace.`,
      { cause: error },
    );
  }
  return new TowpathError("Internal", `Temporal answered with an error: ${wordsOf(error)}`, {
    cause: error,
  });
}
