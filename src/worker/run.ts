import { randomUUID } from "node:crypto";
import { randomBytes } from "node:crypto";
import { createRequire } from "node:module";
import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "@temporalio/common";
import { GracefulShutdownPeriodExpiredError, type WorkflowBundleOption } from "@temporalio/worker";
import { z } from "zod";
import { nodeEntry } from "../adapters/installation/node-entry.js";
import { packageVersion } from "../adapters/installation/version.js";
import { keepGitProcesses } from "../adapters/git/kept-process.js";
import { SPAWN_HELPER, useSpawnHelper } from "../adapters/process/processes.js";
import {
  describeEndpoint,
  endpointFingerprint,
  type TemporalEndpoint,
} from "../adapters/temporal/endpoint.js";
import type { DeploymentVersion } from "../adapters/temporal/deployment.js";
import { hostPlace } from "../adapters/temporal/host.js";
import { TowpathError, messageOf } from "../model/errors.js";
import { currentTracing } from "../adapters/tracing/current.js";
import { startTracing } from "../adapters/tracing/start-tracing.js";
import { WORKFLOW_QUEUE, hostQueue, type HostId } from "../model/queues.js";
import type { HealthReport } from "./health-report.js";
import { serveHealth } from "./health.js";
import { jsonLogger } from "./log.js";
import { MigrationDesk } from "./migration-desk.js";
import type { WorkerParts } from "./parts.js";
import { registerThisWorker } from "./registration.js";
import { openSession, type Session, type SessionOptions } from "./session.js";
import { workerSettings, type WorkerSettings } from "./settings.js";
import { installRuntime } from "./telemetry.js";
import { workflowBundle } from "./workflow-source.js";

const FIRST_BACKOFF_MS = 250;
const LONGEST_BACKOFF_MS = 10_000;

export interface RunWorkerOptions {
  readonly endpoint: TemporalEndpoint;
  readonly dataDir: string;
  readonly hostId: HostId;
  readonly buildId: string;
  readonly parts: WorkerParts;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Aborted to stop it gracefully. */
  readonly stop: AbortSignal;
}

/**
 * Runs the worker of this data directory until `stop`: health and metrics are served from the first moment; Temporal
 * may come later, go, and come back. One worker a process, for Temporal's runtime is set up once.
 * @returns true when all running work ended in time, false when some had to be left behind
 * @throws TowpathError `WrongStatus` while another worker of this data directory runs, or where this host id is another
 * data directory's; `Usage` for bad settings
 */
export async function runWorker(options: RunWorkerOptions): Promise<boolean> {
  const settings = workerSettings(options.env);
  const logger = jsonLogger(settings.logLevel);
  const runtime = await installRuntime(settings, logger);
  try {
    await startTracing(options.env, (message) => logger.warn(message));
    const state = new WorkerState(options, runtime.metricsAddress);
    const desk = new MigrationDesk(options);
    const key = randomBytes(24).toString("base64url");
    const keyed = { key, migration: (id: string) => desk.ask(id) };
    const health = await serveHealth(settings.healthAddress, () => state.report(), keyed);
    const place = { healthAddress: health.address, key };
    try {
      return await runRegistered(options, settings, logger, state, place);
    } finally {
      await health.close();
      await desk.close();
    }
  } finally {
    await currentTracing()?.shutdown();
    await runtime.shutdown();
  }
}

async function runRegistered(
  options: RunWorkerOptions,
  settings: WorkerSettings,
  logger: Logger,
  state: WorkerState,
  { healthAddress, key }: { readonly healthAddress: string; readonly key: string },
): Promise<boolean> {
  const unregister = await registerThisWorker(options.dataDir, healthAddress, key);
  const endHelper = await useSpawnHelper(nodeEntry(SPAWN_HELPER));
  const endGitProcesses = keepGitProcesses();
  try {
    logger.info("Worker starts", { ...state.report(), healthAddress });
    const bundle = await workflowBundle(options.parts.workflows, logger);
    return await superviseSessions(options, settings, bundle, logger, state);
  } finally {
    endGitProcesses();
    await endHelper();
    await unregister();
    logger.info("Worker ended");
  }
}

/** What `/healthz` tells. */
class WorkerState {
  session: Session | null = null;
  problem: string | null = null;
  readonly #startedAt = new Date().toISOString();
  readonly #versions = { towpath: packageVersion(), node: process.version, sdk: sdkVersion() };

  constructor(
    private readonly options: RunWorkerOptions,
    private readonly metricsAddress: string,
  ) {}

  report(): HealthReport {
    const { endpoint, hostId, buildId, stop } = this.options;
    const workers = this.session?.states() ?? ({ workflow: "WAITING", host: "WAITING" } as const);
    const running = workers.workflow === "RUNNING" && workers.host === "RUNNING";
    return {
      status: stop.aborted ? "draining" : running ? "running" : "starting",
      problem: this.problem,
      pid: process.pid,
      hostId,
      buildId,
      target: endpointFingerprint(endpoint),
      temporal: { address: endpoint.address, namespace: endpoint.namespace },
      queues: { workflow: WORKFLOW_QUEUE, host: hostQueue(hostId) },
      workers,
      versions: this.#versions,
      metricsAddress: this.metricsAddress,
      startedAt: this.#startedAt,
    };
  }
}

async function superviseSessions(
  options: RunWorkerOptions,
  settings: WorkerSettings,
  bundle: WorkflowBundleOption,
  logger: Logger,
  state: WorkerState,
): Promise<boolean> {
  const { endpoint, hostId, parts, stop, env } = options;
  const sessionOptions: SessionOptions = {
    endpoint,
    host: { hostId, place: await hostPlace(options.dataDir), session: randomUUID() },
    env,
    version: packageVersion(),
    startedAt: state.report().startedAt,
    activities: parts.activities,
    workflowBundle: bundle,
    maxActivities: settings.maxActivities,
    logger,
    stop,
    tracing: currentTracing(),
    deployed: deployedAs(settings, options.buildId),
  };
  let backoffMs = FIRST_BACKOFF_MS;
  while (!stop.aborted) {
    try {
      state.session = await openSession(sessionOptions);
      state.problem = null;
      backoffMs = FIRST_BACKOFF_MS;
      logger.info("Worker runs", { temporal: describeEndpoint(endpoint) });
      await runUntil(state.session, stop);
    } catch (error) {
      if (error instanceof GracefulShutdownPeriodExpiredError) {
        logger.warn("Running work did not end in time and is left to its retry", { error });
        return false;
      }
      // Another worker has this host: waiting would not change that.
      if (error instanceof TowpathError && error.type === "WrongStatus") throw error;
      state.problem = messageOf(error);
      logger.warn("Worker waits for Temporal", { error, retryInMs: backoffMs });
      await pause(backoffMs, stop);
      backoffMs = Math.min(backoffMs * 2, LONGEST_BACKOFF_MS);
    } finally {
      state.session = null;
    }
  }
  return true;
}

function deployedAs({ deployment }: WorkerSettings, buildId: string): DeploymentVersion | null {
  return deployment === null ? null : { deploymentName: deployment, buildId };
}

async function runUntil(session: Session, stop: AbortSignal): Promise<void> {
  const run = session.run();
  const onStop = (): void => session.shutdown();
  stop.addEventListener("abort", onStop);
  // Asked to stop while the session was being opened.
  if (stop.aborted) onStop();
  try {
    await run;
  } finally {
    stop.removeEventListener("abort", onStop);
  }
}

/** Waits, but not longer than until `stop`. */
async function pause(milliseconds: number, stop: AbortSignal): Promise<void> {
  try {
    await delay(milliseconds, undefined, { signal: stop });
  } catch (error) {
    if (!stop.aborted) throw error;
  }
}

function sdkVersion(): string {
  const content: unknown = createRequire(import.meta.url)("@temporalio/worker/package.json");
  return z.object({ version: z.string() }).parse(content).version;
}
