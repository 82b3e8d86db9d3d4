import { TowpathError, messageOf } from "../../model/errors.js";

/** Runs a piece of work; what the file system throws in it becomes `GitFailed` with `context` in front. */
export async function translated<T>(
  context: string,
  signal: AbortSignal | undefined,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof TowpathError) throw error;
    throw new TowpathError("GitFailed", `${context}: ${messageOf(error)}`, { cause: error });
  }
}
