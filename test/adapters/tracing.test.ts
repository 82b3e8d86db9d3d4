import { SpanKind, SpanStatusCode, TraceFlags } from "@opentelemetry/api";
import { Resource } from "@opentelemetry/resources";
import type { ReadableSpan } from "@opentelemetry/sdk-trace-base";
import { describe, expect, it } from "vitest";
import { scrubbed } from "../../src/adapters/tracing/scrub.js";
import { tracesWanted } from "../../src/adapters/tracing/wanted.js";

describe("traces", () => {
  it.each([
    [{}, false],
    [{ TOWPATH_TRACES: "1" }, true],
    [{ TOWPATH_TRACES: "" }, false],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:4318" }, true],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: "" }, false],
    [{ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "http://127.0.0.1:4318/v1/traces" }, true],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:4318", TOWPATH_TRACES: "0" }, false],
    [{ TOWPATH_TRACES: "1", OTEL_SDK_DISABLED: "true" }, false],
  ])("are written for %o: %s", (env, wanted) => {
    expect(tracesWanted(env)).toBe(wanted);
  });

  it("tell ids and types of errors, and no message, memo or argument", () => {
    const span: ReadableSpan = {
      name: "RunActivity:attemptStep",
      kind: SpanKind.INTERNAL,
      spanContext: () => ({
        traceId: "a".repeat(32),
        spanId: "b".repeat(16),
        traceFlags: TraceFlags.SAMPLED,
      }),
      startTime: [1, 0],
      endTime: [2, 0],
      duration: [1, 0],
      ended: true,
      status: { code: SpanStatusCode.ERROR, message: "canary in a message" },
      attributes: { run_id: "r", temporalWorkflowId: "w", memo: "canary", temporalTerminateReason: "canary" },
      links: [],
      events: [
        {
          name: "exception",
          time: [1, 5],
          attributes: { "exception.type": "CommandFailed", "exception.message": "canary in an event" },
        },
      ],
      resource: new Resource({}),
      instrumentationLibrary: { name: "test" },
      droppedAttributesCount: 0,
      droppedEventsCount: 0,
      droppedLinksCount: 0,
    };
    const told = scrubbed(span);
    expect(JSON.stringify(told)).not.toContain("canary");
    expect(told.status).toEqual({ code: SpanStatusCode.ERROR });
    expect(told.attributes).toEqual({ run_id: "r", temporalWorkflowId: "w", "error.type": "CommandFailed" });
    expect(told.spanContext()).toEqual(span.spanContext());
  });
});
