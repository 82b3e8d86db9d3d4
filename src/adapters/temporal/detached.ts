import { spawn, type ChildProcess } from "node:child_process";
import { open, rename, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { TowpathError, messageOf } from "../../model/errors.js";
import { makePrivateDirectory, readTextIfPresent } from "./files.js";
import { identify, isRunning, type BackgroundProcess } from "./identity.js";
import { hasCode } from "../../model/system-errors.js";

const LOG_LIMIT = 10 * 1024 * 1024;
const POLL_MS = 25;
const KILL_WAIT_MS = 5_000;

export interface DetachedOptions {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** Both output streams are appended here; above 10 MiB the old log is kept once as `<logPath>.1`. */
  readonly logPath: string;
}

export interface DetachedProcess extends BackgroundProcess {
  /** Null while it runs; then how it ended. */
  ended(): string | null;
}

/**
 * Starts a process that outlives this one, in a session of its own, and does not keep this one from ending.
 * @throws TowpathError `TemporalUnavailable` where it cannot be started at all
 */
export async function startDetached(options: DetachedOptions): Promise<DetachedProcess> {
  await makePrivateDirectory(dirname(options.logPath));
  await rotate(options.logPath);
  const log = await open(options.logPath, "a", 0o600);
  try {
    const child = spawn(options.command, options.args, {
      cwd: dirname(options.logPath),
      env: options.env,
      detached: true,
      stdio: ["ignore", log.fd, log.fd],
    });
    return await identified(child, options.command);
  } finally {
    await log.close();
  }
}

async function identified(child: ChildProcess, command: string): Promise<DetachedProcess> {
  let end: string | null = null;
  child.once("exit", (code, signal) => {
    end = signal === null ? `exit code ${code}` : `signal ${signal}`;
  });
  const pid = await spawned(child, command);
  child.unref();
  // A process that has ended already has no start time any more, and no other process can be mistaken for it.
  const startTime = identify(pid)?.startTime ?? "ended";
  return { pid, startTime, ended: () => end };
}

function spawned(child: ChildProcess, command: string): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once("error", (cause) => {
      reject(
        new TowpathError("TemporalUnavailable", `Cannot start ${command}: ${messageOf(cause)}.`, { cause }),
      );
    });
    child.once("spawn", () => {
      if (child.pid !== undefined) resolve(child.pid);
    });
  });
}

/**
 * Ends exactly this process: SIGTERM, and SIGKILL when it still runs after `graceMs`.
 * @returns false where it did not run any more
 */
export async function endProcess(known: BackgroundProcess, graceMs: number): Promise<boolean> {
  if (!isRunning(known)) return false;
  sendSignal(known.pid, "SIGTERM");
  if (await endsWithin(known, graceMs)) return true;
  sendSignal(known.pid, "SIGKILL");
  if (await endsWithin(known, KILL_WAIT_MS)) return true;
  throw new TowpathError(
    "Internal",
    `Process ${known.pid} does not end, not even on SIGKILL; see what it waits for.`,
  );
}

async function endsWithin(known: BackgroundProcess, limitMs: number): Promise<boolean> {
  return until(() => !isRunning(known), limitMs, POLL_MS);
}

/** Asks again and again until the answer is yes; false when `limitMs` have passed. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  limitMs: number,
  pollMs: number,
): Promise<boolean> {
  const end = performance.now() + limitMs;
  for (;;) {
    if (await condition()) return true;
    if (performance.now() >= end) return false;
    await new Promise((resolve) => {
      setTimeout(resolve, pollMs);
    });
  }
}

function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (!hasCode(error, "ESRCH")) throw error;
  }
}

/** The last lines of a log, for an error that must say why a background process ended. */
export async function lastLines(logPath: string, count: number): Promise<string> {
  const text = (await readTextIfPresent(logPath)) ?? "";
  return text.trimEnd().split("\n").slice(-count).join("\n");
}

async function rotate(path: string): Promise<void> {
  try {
    if ((await stat(path)).size > LOG_LIMIT) await rename(path, `${path}.1`);
  } catch (error) {
    if (!hasCode(error, "ENOENT")) throw error;
  }
}
