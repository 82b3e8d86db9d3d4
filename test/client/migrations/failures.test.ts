import { ServiceError } from "@temporalio/client";
import { describe, expect, it } from "vitest";
import { exitCodeOf } from "../../../src/client/errors.js";
import { asTowpathError, isNotReady } from "../../../src/client/migrations/failures.js";

/** As Temporal's client throws what the server, or the way to it, answered. */
function answered(code: number, details: string): ServiceError {
  const cause = Object.assign(new Error(`${code}: ${details}`), { code, details, metadata: {} });
  return new ServiceError("Failed to query Workflow", { cause });
}

describe("what Temporal's client throws", () => {
  it.each([
    ["UNKNOWN", 2, "stream removed", /could not do it now.*Try again/],
    ["DEADLINE_EXCEEDED", 4, "too late", /No worker answered/],
    ["PERMISSION_DENIED", 7, "no rights", /refuses this to the credentials/],
    ["RESOURCE_EXHAUSTED", 8, "query buffer is full", /could not do it now.*query buffer is full/],
    ["FAILED_PRECONDITION", 9, "no poller seen recently", /No worker answered/],
    ["FAILED_PRECONDITION", 9, "Workflow Task in failed state.", /cannot answer.*failed state.*worker\.log/],
    ["ABORTED", 10, "shard moved", /could not do it now/],
    ["INTERNAL", 13, "Received RST_STREAM", /could not do it now.*towpath doctor/],
    ["UNAVAILABLE", 14, "connection refused", /cannot be reached.*towpath doctor/],
    ["DATA_LOSS", 15, "bad page", /could not do it now/],
    ["UNAUTHENTICATED", 16, "who are you", /refuses this to the credentials/],
  ])("with %s (%i) is no error of ours, and says what to do: code 6", (_, code, details, message) => {
    const error = asTowpathError(answered(code, details));
    expect(error).toMatchObject({
      type: "TemporalUnreachable",
      message: expect.stringMatching(message) as unknown,
    });
    expect(exitCodeOf(error)).toBe(6);
  });

  it("is ours where the request itself is wrong", () => {
    expect(exitCodeOf(asTowpathError(answered(3, "bad request")))).toBe(1);
  });

  it("may be answered in the next moment only where nobody was ready to", () => {
    expect([2, 3, 4, 5, 8, 9, 13, 14].filter((code) => isNotReady(answered(code, "x")))).toEqual([9]);
  });
});
