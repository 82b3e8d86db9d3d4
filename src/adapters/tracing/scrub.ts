import type { Context } from "@opentelemetry/api";
import type { ReadableSpan, Span, SpanProcessor } from "@opentelemetry/sdk-trace-base";

/** What a span may tell: ids, and the type of an error. Memos, arguments and messages may hold paths and prompts. */
const TOLD = new Set([
  "temporalWorkflowId",
  "run_id",
  "temporalActivityId",
  "temporalUpdateId",
  "workflowId",
  "workflowType",
  "runId",
  "taskQueue",
  "namespace",
  "error.type",
]);

/** Passes spans on without anything in them that a migration is about. */
export class ScrubbingProcessor implements SpanProcessor {
  constructor(private readonly next: SpanProcessor) {}

  onStart(span: Span, context: Context): void {
    this.next.onStart(span, context);
  }

  onEnd(span: ReadableSpan): void {
    this.next.onEnd(scrubbed(span));
  }

  forceFlush(): Promise<void> {
    return this.next.forceFlush();
  }

  shutdown(): Promise<void> {
    return this.next.shutdown();
  }
}

/** The same span with the attributes that may be told, no message and no events. */
export function scrubbed(span: ReadableSpan): ReadableSpan {
  const exception = span.events.find(({ name }) => name === "exception");
  const type = exception?.attributes?.["exception.type"];
  const told = Object.entries(span.attributes).filter(([name]) => TOLD.has(name));
  return {
    name: span.name,
    kind: span.kind,
    spanContext: () => span.spanContext(),
    ...(span.parentSpanId === undefined ? {} : { parentSpanId: span.parentSpanId }),
    startTime: span.startTime,
    endTime: span.endTime,
    duration: span.duration,
    ended: span.ended,
    status: { code: span.status.code },
    attributes: { ...Object.fromEntries(told), ...(type === undefined ? {} : { "error.type": type }) },
    links: span.links,
    events: [],
    resource: span.resource,
    instrumentationLibrary: span.instrumentationLibrary,
    droppedAttributesCount: span.droppedAttributesCount,
    droppedEventsCount: span.droppedEventsCount,
    droppedLinksCount: span.droppedLinksCount,
  };
}
