import type { LogLevel as SdkLevel, Logger } from "@temporalio/common";
import { Runtime } from "@temporalio/worker";
import { anyFreePort } from "../adapters/temporal/ports.js";
import { TowpathError, messageOf } from "../model/errors.js";
import type { LogLevel, WorkerSettings } from "./settings.js";

const BIND_TRIES = 5;

export interface InstalledRuntime {
  /** `host:port` below which `/metrics` is served. */
  readonly metricsAddress: string;
  /**
   * Takes the runtime down. The SDK does it itself with the last worker, but without any (Temporal never came) its
   * threads would keep the process alive.
   */
  readonly shutdown: () => Promise<void>;
}

/**
 * Sets up Temporal's runtime, once a process: logs of both its halves go to `logger`, metrics are served for
 * Prometheus. Signals are left to the worker.
 * @throws TowpathError `Usage` where the configured metrics address cannot be bound
 */
export async function installRuntime(settings: WorkerSettings, logger: Logger): Promise<InstalledRuntime> {
  if (settings.metricsAddress !== null) return installOn(settings.metricsAddress, settings.logLevel, logger);
  for (let attempt = 1; ; attempt += 1) {
    const address = `127.0.0.1:${await anyFreePort()}`;
    try {
      return installOn(address, settings.logLevel, logger);
    } catch (error) {
      // Somebody else may have taken the free port in between.
      if (attempt === BIND_TRIES) throw error;
    }
  }
}

function installOn(bindAddress: string, level: LogLevel, logger: Logger): InstalledRuntime {
  try {
    const runtime = Runtime.install({
      logger,
      shutdownSignals: [],
      telemetryOptions: {
        logging: { filter: coreFilter(level), forward: {} },
        metrics: { prometheus: { bindAddress } },
      },
    });
    return { metricsAddress: bindAddress, shutdown: () => runtime.shutdown() };
  } catch (cause) {
    throw new TowpathError(
      "Usage",
      `Metrics cannot be served on ${bindAddress}: ${messageOf(cause)}. Change TOWPATH_METRICS_ADDRESS.`,
      { cause },
    );
  }
}

const CORE_LEVELS = { trace: "TRACE", debug: "DEBUG", info: "INFO", warn: "WARN", error: "ERROR" } as const;

function coreFilter(level: LogLevel): { core: SdkLevel; other: SdkLevel } {
  return { core: CORE_LEVELS[level], other: "ERROR" };
}
