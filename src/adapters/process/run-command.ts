import { randomUUID } from "node:crypto";
import { Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import type { CommandEnd, CommandOutcome, ProcessIdentity } from "../../model/command.js";
import type { CommandLimits } from "../../model/feedback.js";
import type { Redactor } from "../../model/redaction.js";
import { CommandLog } from "./command-log.js";
import { closeDescriptors, openInput, openPipe } from "./pipes.js";
import { MARK_VARIABLE } from "./process-table.js";
import type { Started } from "./helper-client.js";
import { type Killed, killTree } from "./process-tree.js";
import { type Command, type Spawned, spawnCommand } from "./spawn.js";
import { watch, type Watchdog } from "./watchdog.js";
import { type YoungerPids, youngerPids } from "./younger-pids.js";
import { hasCode } from "../../model/system-errors.js";

export const DEFAULT_KILL_GRACE_MS = 5000;

/** How long output is still read after all processes that we know of are gone. */
const DRAIN_MS = 1000;

export interface RunOptions extends CommandLimits {
  /** A script is given whole to `bash -e -o pipefail` (`sh -e` where there is no bash). */
  readonly command: Command;
  readonly cwd: string;
  /** The complete environment; see `commandEnvironment`. */
  readonly env: Readonly<Record<string, string>>;
  /** Given and closed; without it the command reads end-of-file. */
  readonly stdin?: string | undefined;
  /** How long the processes may take between SIGTERM and SIGKILL. */
  readonly killGraceMs?: number | undefined;
  /** Appended to; made with mode 0600, its directories with 0700. */
  readonly logPath: string;
  /** Masks secrets in the log, the excerpt and `onOutput`. */
  readonly redactor: Redactor;
  /** Ends the command. */
  readonly signal?: AbortSignal | undefined;
  /** A name for this run that a successor knows beforehand (see `killMarked`); drawn at random when absent. */
  readonly mark?: string | undefined;
  /** Called as soon as the command runs. When it fails, the command is ended and the failure passed on. */
  readonly onStart?: ((identity: ProcessIdentity) => Promise<void> | void) | undefined;
  /** Called with redacted output as it comes. */
  readonly onOutput?: ((chunk: string) => void) | undefined;
}

export interface CommandResult extends CommandOutcome {
  readonly logPath: string;
  /** Processes of the command that even SIGKILL did not end. */
  readonly survivors: readonly number[];
}

type Ending = Pick<CommandResult, "exitCode" | "signal" | "end" | "survivors">;

/**
 * Runs one command to its end, and ends with it everything that it started: on a limit, on cancellation, and also what it leaves behind
 * after an exit. A command that fails is a result, not an exception.
 *
 * @throws TowpathError `StorageFailed` when its log, input or pipe cannot be made or written; the command is ended then.
 */
export async function runCommand(options: RunOptions): Promise<CommandResult> {
  const begin = performance.now();
  const log = await CommandLog.open(options.logPath, options.redactor, options.onOutput);
  try {
    const ending = await runLogged(options, log);
    const excerpt = await log.end();
    const durationMs = Math.round(performance.now() - begin);
    return { ...ending, ...excerpt, bytes: log.bytes, durationMs, logPath: options.logPath };
  } finally {
    await log.close();
  }
}

/** Ends what is left of a run, also one of a worker that died; a pid that was given to another process since is safe. */
export async function killRun(
  identity: ProcessIdentity,
  graceMs: number = DEFAULT_KILL_GRACE_MS,
): Promise<Killed> {
  return killTree(identity, graceMs);
}

/** Ends what is left of the runs with this mark, for a worker that died before it could record the identity. */
export async function killMarked(mark: string, graceMs: number = DEFAULT_KILL_GRACE_MS): Promise<Killed> {
  return killTree({ mark }, graceMs);
}

async function runLogged(options: RunOptions, log: CommandLog): Promise<Ending> {
  const nothing = { exitCode: null, signal: null, survivors: [] };
  if (options.signal?.aborted) return { ...nothing, end: "cancelled" };
  const mark = options.mark ?? randomUUID();
  const pipe = await openPipe();
  const younger = youngerPids();
  const spawned = await spawnInto(pipe.write, options, mark).catch(async (error: unknown) => {
    closeDescriptors(pipe.read);
    // It may have been started all the same, and nobody else knows of it.
    await killTree({ mark }, options.killGraceMs ?? DEFAULT_KILL_GRACE_MS);
    throw error;
  });
  if ("failure" in spawned) {
    closeDescriptors(pipe.read);
    await log.note(`cannot start the command: ${spawned.failure}`);
    return { ...nothing, end: "spawn-failed" };
  }
  return supervise(new Run(spawned, pipe.read, mark, younger), options, log);
}

async function spawnInto(output: number, options: RunOptions, mark: string): Promise<Spawned> {
  const descriptors = [output];
  try {
    const stdin = await openInput(options.stdin);
    descriptors.push(stdin);
    const env = { ...options.env, [MARK_VARIABLE]: mark };
    return await spawnCommand({ command: options.command, cwd: options.cwd, env, stdin, output });
  } finally {
    closeDescriptors(...descriptors);
  }
}

/** A running command: who it is, its output, its exit. */
class Run {
  readonly identity: ProcessIdentity;
  readonly output: Socket;
  readonly exit: Promise<Pick<Ending, "exitCode" | "signal">>;

  constructor(
    { pid, startTime, exit }: Started,
    output: number,
    mark: string,
    private readonly younger: YoungerPids | undefined,
  ) {
    this.identity = { pid, pgid: pid, startTime: startTime ?? "exited", mark };
    this.exit = exit;
    this.output = new Socket({ fd: output, readable: true, writable: false });
  }

  /** Ends whatever is left of it. */
  async kill(graceMs: number): Promise<Killed> {
    return killTree({ ...this.identity, younger: this.younger }, graceMs);
  }
}

async function supervise(run: Run, options: RunOptions, log: CommandLog): Promise<Ending> {
  const watchdog = watch(options);
  const copying = copyOutput(run.output, log, watchdog);
  const starting = Promise.resolve(run.identity).then(options.onStart);
  const graceMs = options.killGraceMs ?? DEFAULT_KILL_GRACE_MS;
  try {
    const end = await Promise.race([
      run.exit.then((): CommandEnd => "exited"),
      watchdog.reached,
      failureOf(copying),
      failureOf(starting),
    ]);
    const { survivors } = await run.kill(graceMs);
    await starting;
    await drain(copying, run.output, log);
    const lost = survivors.includes(run.identity.pid);
    return { ...(lost ? { exitCode: null, signal: null } : await run.exit), end, survivors };
  } catch (error) {
    await run.kill(graceMs);
    throw error;
  } finally {
    watchdog.stop();
    run.output.destroy();
  }
}

/** Settles only when `promise` fails, with its failure. */
async function failureOf(promise: Promise<unknown>): Promise<never> {
  await promise;
  return new Promise(() => {});
}

/** Each chunk is written before the next is read: a command cannot write faster than its log. */
async function copyOutput(output: Socket, log: CommandLog, watchdog: Watchdog): Promise<void> {
  try {
    for await (const chunk of output) {
      watchdog.touch();
      if (Buffer.isBuffer(chunk)) await log.push(chunk);
    }
  } catch (error) {
    // `supervise` closes a pipe that somebody holds open for ever.
    if (!hasCode(error, "ERR_STREAM_PREMATURE_CLOSE")) throw error;
  }
}

/** All that the command wrote is in the pipe; its end may never come when a process that escaped holds it open. */
async function drain(copying: Promise<void>, output: Socket, log: CommandLog): Promise<void> {
  const enough = new AbortController();
  const waiting = delay(DRAIN_MS, "open" as const, { signal: enough.signal });
  const state = await Promise.race([copying.then(() => "ended" as const), waiting]);
  if (state === "open") {
    output.destroy();
    await copying;
    await log.note("a process that left the command still holds its output open; it is not read any longer");
    return;
  }
  enough.abort();
  await waiting.catch((error: unknown) => {
    if (!hasCode(error, "ABORT_ERR")) throw error;
  });
}
