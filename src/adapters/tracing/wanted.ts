type Environment = Readonly<Record<string, string | undefined>>;

/**
 * True where traces are asked for: by `TOWPATH_TRACES=1`, or by an OTLP endpoint of OpenTelemetry's own variables.
 * `TOWPATH_TRACES=0` and `OTEL_SDK_DISABLED=true` switch them off whatever else is set.
 */
export function tracesWanted(env: Environment): boolean {
  const asked = env["TOWPATH_TRACES"] ?? "";
  if (asked === "0" || env["OTEL_SDK_DISABLED"] === "true") return false;
  const endpoints = [env["OTEL_EXPORTER_OTLP_ENDPOINT"], env["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"]];
  return asked === "1" || endpoints.some((endpoint) => endpoint !== undefined && endpoint !== "");
}
