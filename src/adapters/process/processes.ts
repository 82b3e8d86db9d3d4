import { spawn } from "node:child_process";
import { type Capture, type Captured, type Exit, startCaptured } from "./captured.js";
import { DescriptorsUnreachable, SpawnHelper, type Started } from "./helper-client.js";
import { childStartTime } from "./process-table.js";

/** What is run and answered whole. */
export interface CaptureRequest extends Capture {
  readonly signal?: AbortSignal | undefined;
}

/** Descriptors are this process's own, which keeps them. */
export interface StartRequest {
  readonly file: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly stdin: number;
  readonly output: number;
}

/** The compiled module that a spawn helper runs. */
export const SPAWN_HELPER = new URL("./spawn-helper.js", import.meta.url);

let helper: SpawnHelper | null = null;
let starting: (() => Promise<SpawnHelper>) | null = null;

/**
 * Lets a small process of its own start processes from now on, since starting one costs a large process (a worker)
 * milliseconds in which it stands still. One that dies is replaced.
 * @param entry the command that runs `spawn-helper`
 * @returns ends it
 * @throws TowpathError `Internal` when it cannot be started
 */
export async function useSpawnHelper(entry: {
  readonly command: string;
  readonly args: readonly string[];
}): Promise<() => Promise<void>> {
  starting = () => SpawnHelper.start(entry);
  helper = await starting();
  return async () => {
    const last = helper;
    [helper, starting] = [null, null];
    await last?.close();
  };
}

/** The helper, if one is used; a dead one is replaced, once for all who ask meanwhile. */
let replacing: Promise<SpawnHelper> | null = null;

async function currentHelper(): Promise<SpawnHelper | null> {
  if (starting === null || helper === null || helper.isAlive) return helper;
  replacing ??= starting().finally(() => (replacing = null));
  const replaced = await replacing;
  if (starting !== null) helper = replaced;
  return replaced;
}

/**
 * Runs a process to its end.
 * @throws SpawnFailure when it cannot be started; the signal's reason when aborted, the process being gone then
 */
export async function capture(request: CaptureRequest): Promise<Captured> {
  const { signal, input, ...what } = request;
  const small = await currentHelper();
  const captured = await (small === null ? captureHere(request) : small.capture(what, input, signal));
  signal?.throwIfAborted();
  return captured;
}

async function captureHere(request: CaptureRequest): Promise<Captured> {
  const { signal } = request;
  signal?.throwIfAborted();
  const { done, cancel } = startCaptured(request);
  signal?.addEventListener("abort", cancel, { once: true });
  try {
    return await done;
  } finally {
    signal?.removeEventListener("abort", cancel);
  }
}

/**
 * Starts a process as the leader of a session and process group of its own.
 * @throws SpawnFailure or an error of the system when it cannot be started
 */
export async function start(request: StartRequest): Promise<Started> {
  const small = process.platform === "linux" ? await currentHelper() : null;
  if (small === null) return startHere(request);
  try {
    return await small.start({ ...request, stdin: own(request.stdin), output: own(request.output) });
  } catch (error) {
    if (!(error instanceof DescriptorsUnreachable)) throw error;
    return startHere(request);
  }
}

function own(descriptor: number): string {
  return `/proc/${process.pid}/fd/${descriptor}`;
}

async function startHere({ file, args, cwd, env, stdin, output }: StartRequest): Promise<Started> {
  const child = spawn(file, args, { cwd, env, stdio: [stdin, output, output], detached: true });
  const { pid } = child;
  if (pid === undefined) {
    const error = await new Promise<Error>((resolve) => child.once("error", resolve));
    throw error;
  }
  const exit = new Promise<Exit>((resolve) => {
    child.once("exit", (exitCode, signal) => resolve({ exitCode, signal }));
  });
  return { pid, startTime: childStartTime(pid), exit };
}
