import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { CODE_ROOT, buildId } from "../adapters/installation/build-id.js";
import { nodeEntry } from "../adapters/installation/node-entry.js";
import { endProcess, lastLines, startDetached, until } from "../adapters/temporal/detached.js";
import { endpointFingerprint, type TemporalEndpoint } from "../adapters/temporal/endpoint.js";
import { removeFile } from "../adapters/temporal/files.js";
import { httpGet } from "../adapters/temporal/http-get.js";
import { withLock } from "../adapters/temporal/lock.js";
import { withAbsolutePaths } from "../adapters/temporal/target.js";
import { TowpathError } from "../model/errors.js";
import { HealthReport } from "./health-report.js";
import { registeredWorker, workerPaths, type WorkerRegistration } from "./registration.js";

const PROBE_MS = 2_000;
const POLL_MS = 50;
const START_LIMIT_MS = 30_000;
const LOCK_WAIT_MS = 120_000;
/** Above what the worker itself takes before it gives up on its activities, so that SIGKILL is the exception. */
const STOP_GRACE_MS = 25_000;

export interface EnsureWorkerOptions {
  readonly dataDir: string;
  readonly endpoint: TemporalEndpoint;
  /** The worker's environment; it is told the endpoint of an embedded server through it. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly onProgress?: (message: string) => void;
}

export interface WorkerInfo extends WorkerRegistration {
  /** Null where the process runs and does not answer. */
  readonly report: HealthReport | null;
}

/** A worker that runs; `reused`: it ran before, or somebody else has just started it. */
export type EnsuredWorker = WorkerInfo & { readonly reused: boolean };

/** The worker process of this data directory and what it says of itself; null where none runs. */
export async function workerStatus(dataDir: string): Promise<WorkerInfo | null> {
  const registration = await registeredWorker(dataDir);
  if (registration === null) return null;
  return { ...registration, report: await askHealth(registration.healthAddress) };
}

/**
 * The one background worker of this data directory, running. One that runs other code or talks to another Temporal is
 * ended gracefully and replaced; its unfinished activities are retried by the successor.
 * @throws TowpathError `Internal` with the log's last lines where it does not come up
 */
export async function ensureWorker(options: EnsureWorkerOptions): Promise<EnsuredWorker> {
  const wanted = { buildId: buildId(), target: endpointFingerprint(options.endpoint) };
  const fits = (worker: WorkerInfo): boolean =>
    worker.report?.buildId === wanted.buildId && worker.report.target === wanted.target;
  const running = await workerStatus(options.dataDir);
  if (running?.report?.status === "running" && fits(running)) return { ...running, reused: true };

  return withLock(workerPaths(options.dataDir).startLock, LOCK_WAIT_MS, async (lock) => {
    const current = await workerStatus(options.dataDir);
    if (current !== null && fits(current) && current.report?.status !== "draining") {
      const ready = await awaitRunning(options.dataDir, current.pid, () => null);
      return { ...ready, reused: true };
    }
    if (current !== null) {
      options.onProgress?.("replacing the worker…");
      await endProcess(current, STOP_GRACE_MS);
    }
    lock.ensureHeld();
    return startWorker(options, fits);
  });
}

/**
 * Ends the worker of this data directory gracefully.
 * @returns the worker that was ended, or null where none ran
 */
export async function downWorker(dataDir: string): Promise<WorkerRegistration | null> {
  if ((await registeredWorker(dataDir)) === null) return null;
  return withLock(workerPaths(dataDir).startLock, LOCK_WAIT_MS, async () => {
    const registration = await registeredWorker(dataDir);
    if (registration === null) return null;
    const ended = await endProcess(registration, STOP_GRACE_MS);
    await removeFile(workerPaths(dataDir).state);
    return ended ? registration : null;
  });
}

/**
 * Where V8 may have gigabytes it lets garbage lie until there are hundreds of megabytes of it; a worker on somebody's own
 * machine shall not. Whoever sets a size in `NODE_OPTIONS` decides.
 */
function heapFlags(env: Readonly<Record<string, string | undefined>>): string[] {
  if (/-space-size/.test(env["NODE_OPTIONS"]?.replaceAll("_", "-") ?? "")) return [];
  return ["--max-old-space-size=1024", "--max-semi-space-size=2", "--optimize-for-size"];
}

async function startWorker(
  options: EnsureWorkerOptions,
  fits: (worker: WorkerInfo) => boolean,
): Promise<EnsuredWorker> {
  const { dataDir, endpoint, env } = options;
  options.onProgress?.("starting the worker…");
  const entry = nodeEntry(pathToFileURL(join(CODE_ROOT, "client", "main.js")));
  const started = await startDetached({
    command: entry.command,
    args: [...heapFlags(env), ...entry.args, "worker"],
    env: {
      // Of the allocator's arenas, one for each core and more, each keeps what it was given.
      MALLOC_ARENA_MAX: "2",
      ...withAbsolutePaths(env),
      TOWPATH_DATA_DIR: dataDir,
      TEMPORAL_ADDRESS: endpoint.address,
      TEMPORAL_NAMESPACE: endpoint.namespace,
    },
    logPath: workerPaths(dataDir).log,
  });
  try {
    return { ...(await awaitRunning(dataDir, started.pid, () => started.ended())), reused: false };
  } catch (error) {
    // Somebody has started one in the foreground meanwhile, to which this one has given way.
    const other = await workerStatus(dataDir);
    if (other === null || other.pid === started.pid || !fits(other)) throw error;
    return { ...(await awaitRunning(dataDir, other.pid, () => null)), reused: true };
  }
}

async function awaitRunning(dataDir: string, pid: number, ended: () => string | null): Promise<WorkerInfo> {
  const found: { worker: WorkerInfo | null } = { worker: null };
  await until(
    async () => {
      found.worker = await workerStatus(dataDir);
      if (ended() !== null) return true;
      return found.worker?.pid === pid && found.worker.report?.status === "running";
    },
    START_LIMIT_MS,
    POLL_MS,
  );
  const { worker } = found;
  if (worker !== null && worker.pid === pid && worker.report?.status === "running") return worker;
  const { log } = workerPaths(dataDir);
  const end = ended();
  const what =
    end === null
      ? `is not ready after ${START_LIMIT_MS / 1000} s: ${worker?.report?.problem ?? "its health does not answer"}`
      : `ended while starting (${end})`;
  throw new TowpathError(
    "Internal",
    `The worker ${what}. Log: ${log}, its end:\n${await lastLines(log, 3)}`,
    { details: { log } },
  );
}

async function askHealth(address: string): Promise<HealthReport | null> {
  try {
    const { body } = await httpGet(`http://${address}/healthz`, PROBE_MS);
    const parsed = HealthReport.safeParse(JSON.parse(body));
    return parsed.success ? parsed.data : null;
  } catch (error) {
    // Not listening (any more), too slow, or no HTTP: for the caller the same as no report.
    const isNoAnswer = error instanceof Error && ("code" in error || error.name === "AbortError");
    if (isNoAnswer || error instanceof SyntaxError) return null;
    throw error;
  }
}
