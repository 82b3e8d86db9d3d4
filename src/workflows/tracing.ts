import {
  OpenTelemetryInboundInterceptor,
  OpenTelemetryInternalsInterceptor,
  OpenTelemetryOutboundInterceptor,
} from "@temporalio/interceptors-opentelemetry/lib/workflow/index.js";
import type { WorkflowInterceptors, WorkflowInterceptorsFactory } from "@temporalio/workflow";

/** The header that a client which traces sends along. */
const HEADER = "_tracer-data";

/**
 * Traces workflows whose start was traced. Others are run as without: what the interceptors ask of a history (flags, and
 * turns of the loop) must not be in one that was begun without them.
 */
export const interceptors: WorkflowInterceptorsFactory = () => {
  let traced: Required<TracedInterceptors> | null = null;
  const inbound: Inbound = {
    execute: (input, next) => {
      if (!(HEADER in input.headers)) return next(input);
      traced = start();
      return traced.inbound.execute(input, next);
    },
    handleSignal: (input, next) => (traced === null ? next(input) : traced.inbound.handleSignal(input, next)),
    handleUpdate: (input, next) => (traced === null ? next(input) : traced.inbound.handleUpdate(input, next)),
  };
  const outbound: Outbound = {
    scheduleActivity: (input, next) =>
      traced === null ? next(input) : traced.outbound.scheduleActivity(input, next),
    startChildWorkflowExecution: (input, next) =>
      traced === null ? next(input) : traced.outbound.startChildWorkflowExecution(input, next),
    continueAsNew: (input, next) =>
      traced === null ? next(input) : traced.outbound.continueAsNew(input, next),
  };
  const dispose: Internals = {
    dispose: (input, next) => (traced === null ? next(input) : void traced.internals.dispose(input, next)),
  };
  return { inbound: [inbound], outbound: [outbound], internals: [dispose] };
};

type Inbound = NonNullable<WorkflowInterceptors["inbound"]>[number];
type Outbound = NonNullable<WorkflowInterceptors["outbound"]>[number];
type Internals = NonNullable<WorkflowInterceptors["internals"]>[number];

interface TracedInterceptors {
  readonly inbound: OpenTelemetryInboundInterceptor;
  readonly outbound: OpenTelemetryOutboundInterceptor;
  readonly internals: OpenTelemetryInternalsInterceptor;
}

function start(): TracedInterceptors {
  return {
    inbound: new OpenTelemetryInboundInterceptor(),
    outbound: new OpenTelemetryOutboundInterceptor(),
    internals: new OpenTelemetryInternalsInterceptor(),
  };
}
