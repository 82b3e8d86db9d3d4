import { tmpdir } from "node:os";
import { join } from "node:path";
import { TowpathError } from "../../model/errors.js";
import { provisionTemporal } from "./provision.js";
import { healthProblem } from "./connect.js";
import { endProcess, lastLines, startDetached, until, type DetachedProcess } from "./detached.js";
import {
  readEmbeddedState,
  readRememberedPorts,
  rememberPorts,
  removeEmbeddedState,
  serverPaths,
  writeEmbeddedState,
  type EmbeddedState,
} from "./embedded-state.js";
import { uiCodecArguments } from "./encryption/codec-place.js";
import { keyRing } from "./encryption/keys.js";
import type { TemporalEndpoint } from "./endpoint.js";
import { isRunning } from "./identity.js";
import { httpGet } from "./http-get.js";
import { withLock, type HeldLock } from "./lock.js";
import { nextFreePort, portAnswers } from "./ports.js";
import { serverArguments, serverEnvironment, type ServerPorts } from "./server-arguments.js";
import { EMBEDDED_NAMESPACE } from "./target.js";

const DEFAULT_PORTS: ServerPorts = { grpc: 7233, ui: 8233 };
const START_ATTEMPTS = 3;
const START_LIMIT_MS = 30_000;
const RECOVERY_MS = 10_000;
const PROBE_MS = 2_000;
const POLL_MS = 50;
/** The server itself takes 3 s to close its services in order. */
const STOP_GRACE_MS = 15_000;
/** What answers nothing will hardly stop in order either. */
const HUNG_GRACE_MS = 3_000;
const LOCK_WAIT_MS = 90_000;

export interface EmbeddedOptions {
  readonly dataDir: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly onProgress?: (message: string) => void;
  /** How long a server that runs and does not answer may take to recover before it is replaced; 10 s by default. */
  readonly recoveryMs?: number;
}

export interface EmbeddedServer extends EmbeddedState {
  /** True where it ran before this call. */
  readonly reused: boolean;
}

export interface EmbeddedStatus {
  readonly state: EmbeddedState | null;
  /** Null when the recorded server runs and serves; else why it is not used. */
  readonly problem: string | null;
}

/** The endpoint of an embedded server; what is sent to it is encrypted where `env` names keys. */
export function embeddedEndpoint(
  server: { readonly address: string },
  env: EmbeddedOptions["env"] = {},
): TemporalEndpoint {
  const keys = keyRing(env);
  const encryption = keys === null ? {} : { encryption: keys };
  return { address: server.address, namespace: EMBEDDED_NAMESPACE, ...encryption };
}

/**
 * Looks after the embedded server without changing anything. A server counts when it is the recorded process *and*
 * serves: another one's server may meanwhile answer on the recorded port.
 */
export async function embeddedStatus(dataDir: string): Promise<EmbeddedStatus> {
  const state = await readEmbeddedState(dataDir);
  if (state === null) return { state, problem: "no server is recorded" };
  if (!isRunning(state)) return { state, problem: `the recorded process ${state.pid} does not run` };
  return { state, problem: await serverProblem(state) };
}

/**
 * The one embedded server of this data directory: the running one where it is healthy, else a new one on the same
 * database and, where they are free, the same ports. Any number of callers at the same time get one server.
 * @throws TowpathError `TemporalUnavailable`, `LockUnavailable`, `StorageFailed`
 */
export async function ensureEmbedded(options: EmbeddedOptions): Promise<EmbeddedServer> {
  const running = await runningServer(options.dataDir);
  if (running !== null) return running;
  // Outside the lock: building the binary may take minutes, and has a lock of its own.
  const binary = await provisionTemporal(options);
  return withLock(serverPaths(options.dataDir).lock, LOCK_WAIT_MS, async (lock) => {
    const recovered = await recoveredServer(options);
    if (recovered !== null) return recovered;
    return { ...(await startServer(options, binary.path, lock)), reused: false };
  });
}

/**
 * Ends the recorded server, and nothing else: a process that merely has its number is left alone. The database stays.
 * @returns the server that was ended, or null where none ran
 */
export async function downEmbedded(dataDir: string): Promise<EmbeddedState | null> {
  if ((await readEmbeddedState(dataDir)) === null) return null;
  return withLock(serverPaths(dataDir).lock, LOCK_WAIT_MS, async () => {
    const state = await readEmbeddedState(dataDir);
    if (state === null) return null;
    const ended = await endProcess(state, STOP_GRACE_MS);
    await removeEmbeddedState(dataDir);
    return ended ? state : null;
  });
}

async function runningServer(dataDir: string): Promise<EmbeddedServer | null> {
  const { state, problem } = await embeddedStatus(dataDir);
  return state !== null && problem === null ? { ...state, reused: true } : null;
}

/**
 * A recorded process that runs and yet does not serve is either starting or short of CPU, and gets time, or it hangs,
 * and is ended. A dead one leaves only its file.
 */
async function recoveredServer(options: EmbeddedOptions): Promise<EmbeddedServer | null> {
  const { dataDir, recoveryMs = RECOVERY_MS } = options;
  const state = await readEmbeddedState(dataDir);
  if (state === null) return null;
  const settled = async (): Promise<boolean> => !isRunning(state) || (await serverProblem(state)) === null;
  const inTime = await until(settled, recoveryMs, POLL_MS);
  if (inTime && isRunning(state)) return { ...state, reused: true };
  await endProcess(state, HUNG_GRACE_MS);
  await removeEmbeddedState(dataDir);
  return null;
}

async function startServer(options: EmbeddedOptions, binary: string, lock: HeldLock): Promise<EmbeddedState> {
  const failures: string[] = [];
  for (let attempt = 1; attempt <= START_ATTEMPTS; attempt += 1) {
    lock.ensureHeld();
    // Held until the server has bound its ports, so that two data directories do not choose the same ones.
    const outcome = await withLock(portsLock(), LOCK_WAIT_MS, () => startOnce(options, binary));
    if (typeof outcome !== "string") return outcome;
    failures.push(outcome);
  }
  throw new TowpathError(
    "TemporalUnavailable",
    `The embedded Temporal server does not start: ${failures.at(-1)}\nLog: ${serverPaths(options.dataDir).log}`,
    { details: { log: serverPaths(options.dataDir).log } },
  );
}

/** @returns the started server, or in words why it did not come up */
async function startOnce(options: EmbeddedOptions, binary: string): Promise<EmbeddedState | string> {
  const { dataDir, env } = options;
  const paths = serverPaths(dataDir);
  const ports = await choosePorts(dataDir);
  const codec = keyRing(env) === null ? [] : await uiCodecArguments(dataDir);
  options.onProgress?.("starting the Temporal server…");
  const server = await startDetached({
    command: binary,
    args: [...codec, ...serverArguments(paths.database, ports)],
    env: serverEnvironment(env),
    logPath: paths.log,
  });
  const state: EmbeddedState = {
    pid: server.pid,
    startTime: server.startTime,
    address: `127.0.0.1:${ports.grpc}`,
    uiAddress: `http://127.0.0.1:${ports.ui}`,
    binary,
    startedAt: new Date().toISOString(),
  };
  // Recorded before it is healthy: should this process die now, the next one knows what it started.
  await writeEmbeddedState(dataDir, state);
  const problem = await awaitHealthy(server, state, paths.log);
  if (problem === null) {
    await rememberPorts(dataDir, ports);
    return state;
  }
  await endProcess(state, STOP_GRACE_MS);
  await removeEmbeddedState(dataDir);
  return problem;
}

async function awaitHealthy(
  server: DetachedProcess,
  state: EmbeddedState,
  log: string,
): Promise<string | null> {
  let problem: string | null = "not asked yet";
  const settled = await until(
    async () => {
      if (server.ended() !== null) return true;
      problem = (await portAnswers(portOf(state.address))) ? await serverProblem(state) : "nothing listens";
      return problem === null;
    },
    START_LIMIT_MS,
    POLL_MS,
  );
  const end = server.ended();
  if (end !== null) return `it ended with ${end}: ${await lastLines(log, 3)}`;
  return settled ? null : `it is not healthy after ${START_LIMIT_MS / 1000} s: ${problem}`;
}

async function serverProblem(state: EmbeddedState): Promise<string | null> {
  return (await healthProblem(embeddedEndpoint(state), PROBE_MS)) ?? (await uiProblem(state.uiAddress));
}

async function uiProblem(uiAddress: string): Promise<string | null> {
  try {
    const { status } = await httpGet(uiAddress, PROBE_MS);
    return status === 200 ? null : `the Web UI at ${uiAddress} answers HTTP ${status}`;
  } catch (error) {
    return `the Web UI at ${uiAddress} does not answer: ${String(error)}`;
  }
}

async function choosePorts(dataDir: string): Promise<ServerPorts> {
  const wanted = (await readRememberedPorts(dataDir)) ?? DEFAULT_PORTS;
  const grpc = await nextFreePort(wanted.grpc);
  return { grpc, ui: await nextFreePort(wanted.ui, [grpc]) };
}

/** Ports are the machine's, so the lock is too, whatever this process's directories are. */
function portsLock(): string {
  return join(tmpdir(), `towpath-${process.geteuid?.() ?? "user"}`, "ports");
}

function portOf(address: string): number {
  return Number(address.slice(address.lastIndexOf(":") + 1));
}
