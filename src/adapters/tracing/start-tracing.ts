import { TowpathError, messageOf } from "../../model/errors.js";
import { packageVersion } from "../installation/version.js";
import { setCurrentTracing, type Tracing } from "./current.js";
import { tracesWanted } from "./wanted.js";

type Environment = Readonly<Record<string, string | undefined>>;

const PACKAGES = [
  "@temporalio/interceptors-opentelemetry",
  "@opentelemetry/api",
  "@opentelemetry/sdk-trace-base",
  "@opentelemetry/sdk-trace-node",
  "@opentelemetry/exporter-trace-otlp-http",
  "@opentelemetry/resources",
] as const;

const EXPORT_LIMIT_MS = 3_000;

/**
 * Sets this process's tracing up where it is asked for. Spans go by OTLP over HTTP where OpenTelemetry's variables say.
 * @param onLost told when the last spans could not be sent: that is no reason for the traced work to fail
 * @returns null where it is not asked for; nothing of OpenTelemetry is loaded then
 * @throws TowpathError `Usage` where the optional packages are not installed
 */
export async function startTracing(
  env: Environment,
  onLost: (message: string) => void,
): Promise<Tracing | null> {
  if (!tracesWanted(env)) return null;
  const tracing = await load(env, onLost).catch((cause: unknown) => {
    if (!isNotInstalled(cause)) throw cause;
    throw new TowpathError(
      "Usage",
      `Traces are asked for, and what writes them is not installed (${messageOf(cause).split("\n")[0]}). ` +
        `Install it, or set TOWPATH_TRACES=0: npm install ${PACKAGES.join(" ")}`,
      { cause },
    );
  });
  setCurrentTracing(tracing);
  return tracing;
}

/** The user's, or one that lets a command end soon though nobody takes its spans. */
function patience(env: Environment): { timeoutMillis?: number } {
  const set = env["OTEL_EXPORTER_OTLP_TIMEOUT"] ?? env["OTEL_EXPORTER_OTLP_TRACES_TIMEOUT"] ?? "";
  return set === "" ? { timeoutMillis: EXPORT_LIMIT_MS } : {};
}

function isNotInstalled(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? error.code : null;
  return code === "ERR_MODULE_NOT_FOUND" || code === "MODULE_NOT_FOUND";
}

async function load(env: Environment, onLost: (message: string) => void): Promise<Tracing> {
  const [api, node, exporter, resources, interceptors, { ScrubbingProcessor }] = await Promise.all([
    import("@opentelemetry/api"),
    import("@opentelemetry/sdk-trace-node"),
    import("@opentelemetry/exporter-trace-otlp-http"),
    import("@opentelemetry/resources"),
    import("@temporalio/interceptors-opentelemetry"),
    import("./scrub.js"),
  ]);
  const serviceName = env["OTEL_SERVICE_NAME"] ?? "";
  const resource = new resources.Resource({
    "service.name": serviceName === "" ? "towpath" : serviceName,
    "service.version": packageVersion(),
  });
  const processor = new ScrubbingProcessor(
    new node.BatchSpanProcessor(new exporter.OTLPTraceExporter(patience(env))),
  );
  const provider = new node.NodeTracerProvider({ resource, spanProcessors: [processor] });
  provider.register();
  const tracer = provider.getTracer("towpath", packageVersion());
  return {
    client: new interceptors.OpenTelemetryWorkflowClientInterceptor({ tracer }),
    activities: (context) => ({
      inbound: new interceptors.OpenTelemetryActivityInboundInterceptor(context, { tracer }),
    }),
    workflowSinks: { exporter: interceptors.makeWorkflowExporter(processor, resource) },
    span: (name, body) =>
      tracer.startActiveSpan(name, async (span) => {
        try {
          return await body();
        } catch (error) {
          span.setStatus({ code: api.SpanStatusCode.ERROR });
          span.setAttribute("error.type", error instanceof TowpathError ? error.type : "Internal");
          throw error;
        } finally {
          span.end();
        }
      }),
    shutdown: () =>
      provider.shutdown().catch((error: unknown) => {
        onLost(`Traces were not sent: ${messageOf(error)}. See where OTEL_EXPORTER_OTLP_ENDPOINT leads to.`);
      }),
  };
}
