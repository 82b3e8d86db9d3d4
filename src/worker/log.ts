import type { LogLevel as SdkLevel, LogMetadata, Logger } from "@temporalio/common";
import pino from "pino";
import type { LogLevel } from "./settings.js";

const LEVELS = { TRACE: "trace", DEBUG: "debug", INFO: "info", WARN: "warn", ERROR: "error" } as const;

/** Temporal's logger interface on JSON lines: `{"level","time","message",…}` on stdout, or on `destination`. */
export function jsonLogger(level: LogLevel, destination: pino.DestinationStream = standardOutput()): Logger {
  const out = pino(
    {
      level,
      base: { pid: process.pid },
      messageKey: "message",
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { error: pino.stdSerializers.err },
    },
    destination,
  );
  const log = (sdkLevel: SdkLevel, message: string, metadata?: LogMetadata): void => {
    out[LEVELS[sdkLevel]]({ ...metadata }, message);
  };
  return {
    log,
    trace: (message, metadata) => log("TRACE", message, metadata),
    debug: (message, metadata) => log("DEBUG", message, metadata),
    info: (message, metadata) => log("INFO", message, metadata),
    warn: (message, metadata) => log("WARN", message, metadata),
    error: (message, metadata) => log("ERROR", message, metadata),
  };
}

/** Synchronous, so that the last line before the end of the process is not lost. */
function standardOutput(): pino.DestinationStream {
  return pino.destination({ dest: 1, sync: true });
}
