import type { WorkflowClientInterceptor } from "@temporalio/client";
import type { ActivityInterceptorsFactory, InjectedSinks } from "@temporalio/worker";
import type { OpenTelemetrySinks } from "@temporalio/interceptors-opentelemetry";

/** How one process traces what it does. */
export interface Tracing {
  readonly client: WorkflowClientInterceptor;
  readonly activities: ActivityInterceptorsFactory;
  /** Takes the spans of workflows, whose code may not send anything itself. */
  readonly workflowSinks: InjectedSinks<OpenTelemetrySinks>;
  /** Runs `body` in a span, which all that it causes belongs to. */
  span<T>(name: string, body: () => Promise<T>): Promise<T>;
  /** Sends what was not sent yet. */
  shutdown(): Promise<void>;
}

let current: Tracing | null = null;

/** How this process traces; null where it does not. Set once, as OpenTelemetry's own globals are. */
export function currentTracing(): Tracing | null {
  return current;
}

export function setCurrentTracing(tracing: Tracing): void {
  current = tracing;
}
