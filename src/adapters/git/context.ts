import { TowpathError, messageOf } from "../../model/errors.js";

/** Runs a piece of work; what the file system throws in it becomes `GitFailed` with `context` in front. */
export async function translated<T>(
  context: string,
  signal: AbortSignal | undefined,
  work: () => Promise<T>,
): Promise<T> {
  return explained(signal, work, (error) => {
    if (error instanceof TowpathError) return error;
    return new TowpathError("GitFailed", `${context}: ${messageOf(error)}`, { cause: error });
  });
}

/** Runs a piece of work and puts `context` in front of whatever it throws; an abort is passed on as it is. */
export async function inContext<T>(
  context: string,
  signal: AbortSignal | undefined,
  work: () => Promise<T>,
): Promise<T> {
  return explained(signal, work, (error) => {
    const { type, details } =
      error instanceof TowpathError ? error : { type: "GitFailed" as const, details: {} };
    return new TowpathError(type, `${context}: ${messageOf(error)}`, { cause: error, details });
  });
}

async function explained<T>(
  signal: AbortSignal | undefined,
  work: () => Promise<T>,
  explain: (error: unknown) => TowpathError,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    signal?.throwIfAborted();
    throw explain(error);
  }
}
