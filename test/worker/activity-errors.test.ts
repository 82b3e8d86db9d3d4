import { CompleteAsyncError } from "@temporalio/activity";
import { ApplicationFailure, CancelledFailure } from "@temporalio/common";
import { expect, it } from "vitest";
import { TowpathError, type ErrorType } from "../../src/model/errors.js";
import { toActivityFailure } from "../../src/worker/activity-errors.js";

it.each<[ErrorType, boolean]>([
  ["PhaseGate", true],
  ["StateCorrupt", true],
  ["GitFailed", false],
  ["StorageFailed", false],
])("keeps the type %s, and says whether a retry can help", (type, nonRetryable) => {
  const cause = new Error("with a password");
  const failure = toActivityFailure(
    new TowpathError(type, "what happened", { cause, details: { step: "a" } }),
  );
  expect(failure).toBeInstanceOf(ApplicationFailure);
  expect(failure).toMatchObject({ type, message: "what happened", nonRetryable, details: [{ step: "a" }] });
  expect(failure).toHaveProperty("cause", undefined);
});

it.each([
  ["an error", new RangeError("off by one"), "off by one"],
  ["a text", "thrown text", "thrown text"],
  ["nothing", undefined, "undefined"],
])("calls %s that nobody foresaw Internal, and leaves retries to the workflow", (_, thrown, message) => {
  expect(toActivityFailure(thrown)).toMatchObject({ type: "Internal", message, nonRetryable: false });
});

it.each([
  ["cancellation", new CancelledFailure("CANCELLED")],
  ["a failure that is one already", ApplicationFailure.create({ type: "Mine" })],
  ["asynchronous completion", new CompleteAsyncError()],
  ["an abort by the cancellation signal", new DOMException("aborted", "AbortError")],
])("lets %s pass as it is", (_, thrown) => {
  expect(toActivityFailure(thrown)).toBe(thrown);
});
