import { CompleteAsyncError, log } from "@temporalio/activity";
import { ApplicationFailure, TemporalFailure } from "@temporalio/common";
import type { ActivityInterceptorsFactory } from "@temporalio/worker";
import { TowpathError, messageOf } from "../model/errors.js";

/**
 * What Temporal is told of an error that an activity threw: Towpath's own keep their type, and are retried only where
 * a retry can help; what nobody foresaw has the type `Internal` and is retried as the workflow's options say.
 * Temporal's own failures (cancellation above all) stay what they are. The cause stays out: it is not written for
 * others' eyes, and history is.
 */
export function toActivityFailure(error: unknown): unknown {
  if (error instanceof TemporalFailure || error instanceof CompleteAsyncError || isAbort(error)) return error;
  if (error instanceof TowpathError)
    return ApplicationFailure.create({
      type: error.type,
      message: error.message,
      nonRetryable: !error.retryable,
      details: [error.details],
    });
  return ApplicationFailure.create({ type: "Internal", message: messageOf(error) });
}

/** The one place where errors of activities are turned into failures; the log keeps what the failure leaves out. */
export const activityErrors: ActivityInterceptorsFactory = () => ({
  inbound: {
    execute: async (input, next) => {
      try {
        return await next(input);
      } catch (error) {
        const failure = toActivityFailure(error);
        if (failure !== error) log.debug("Activity threw", { error });
        throw failure;
      }
    },
  },
});

/** Thrown by Node when the activity's own cancellation signal ended something; the SDK reads it as cancellation. */
function isAbort(error: unknown): boolean {
  return error instanceof Error && error.name === "AbortError";
}
