import { setTimeout as delay } from "node:timers/promises";
import type { CommandEnd } from "../../model/command.js";
import { TowpathError } from "../../model/errors.js";
import type { ContainerStatus } from "./answers.js";
import { demuxed } from "./demux.js";
import type { Engine } from "./engine.js";
import { answered, engineFailed } from "./failures.js";

/** Beside `wait`, which never settles when the engine dies. */
const POLL_MS = 1_000;
/** How long an engine may be away while a container of its runs. */
const PATIENCE_MS = 60_000;
/** How long the rest of the output is read after the end. */
const DRAIN_MS = 10_000;

export interface Supervision {
  /** Takes output as it comes; the next piece is read when this one was taken. */
  readonly output: (bytes: Buffer) => Promise<void>;
  /** Resolves with the first limit that is reached; may never do so. */
  readonly reached: Promise<CommandEnd>;
  /** Asked when the caller's signal was aborted: true leaves the container to a successor. */
  readonly detach: () => boolean;
  readonly graceSeconds: number;
}

export interface ContainerEnd {
  readonly end: CommandEnd | "detached";
  readonly status: ContainerStatus;
}

/**
 * Follows a container to its end: its output from the very beginning, its exit, or the limit that ends it. An engine that
 * is away for a moment is waited for.
 * @throws TowpathError `EngineUnreachable` when it stays away, `EngineFailed` when somebody removed the container; and
 * what `output` throws
 */
export async function superviseContainer(
  engine: Engine,
  id: string,
  supervision: Supervision,
): Promise<ContainerEnd> {
  const over = new AbortController();
  const copying = copyLog(engine, id, supervision.output, over.signal);
  const exit = exitOf(engine, id, over.signal);
  try {
    const first = await Promise.race([
      exit.then((): CommandEnd => "exited"),
      supervision.reached,
      failureOf(copying),
    ]);
    if (first === "cancelled" && supervision.detach()) {
      return { end: "detached", status: await presentStatus(engine, id) };
    }
    if (first !== "exited") await engine.stop(id, supervision.graceSeconds);
    const status = await exit;
    await Promise.race([copying, delay(DRAIN_MS, undefined, { signal: over.signal })]);
    return { end: first, status };
  } finally {
    over.abort();
    // Both were broken off here; what failed before has been passed on already.
    await Promise.allSettled([copying, exit]);
  }
}

async function presentStatus(engine: Engine, id: string): Promise<ContainerStatus> {
  const status = await engine.container(id);
  if (status !== null) return status;
  throw new TowpathError(
    "EngineFailed",
    `Somebody removed the container ${id.slice(0, 12)} while it was in use`,
  );
}

/** Resolves when the container has ended. */
async function exitOf(engine: Engine, id: string, signal: AbortSignal): Promise<ContainerStatus> {
  let heardMs = Date.now();
  let isOver = false;
  // However it ends, inspecting decides; a wait that is over is not asked again.
  const notified = (async () => {
    await engine.wait(id, signal).catch(() => {});
    isOver = true;
  })();
  for (;;) {
    try {
      const status = await presentStatus(engine, id);
      heardMs = Date.now();
      if (status.state === "exited" || status.state === "dead") return status;
    } catch (error) {
      const isAway = error instanceof TowpathError && error.type === "EngineUnreachable";
      if (!isAway || Date.now() - heardMs > PATIENCE_MS) throw error;
    }
    const pause = delay(POLL_MS, undefined, { signal });
    await (isOver ? pause : Promise.race([notified, pause]));
  }
}

/** Settles only when `promise` fails, with its failure. */
async function failureOf(promise: Promise<unknown>): Promise<never> {
  await promise;
  return new Promise(() => {});
}

/** Copies the output from its beginning. A stream that breaks off is taken up where it did: the engine has it all. */
async function copyLog(
  engine: Engine,
  id: string,
  output: Supervision["output"],
  signal: AbortSignal,
): Promise<void> {
  let taken = 0;
  for (;;) {
    const begun = taken;
    const cut = await copyFrom(engine, id, signal, taken, async (bytes) => {
      taken += bytes.length;
      await output(bytes);
    });
    if (!cut || signal.aborted) return;
    if (taken === begun) await delay(POLL_MS, undefined, { signal });
  }
}

/** Resolves to true when the stream broke off before the container's end. */
async function copyFrom(
  engine: Engine,
  id: string,
  signal: AbortSignal,
  skip: number,
  take: (bytes: Buffer) => Promise<void>,
): Promise<boolean> {
  let passed = 0;
  const frames = demuxed(await openLog(engine, id, signal));
  for (;;) {
    let next: IteratorResult<Buffer>;
    try {
      next = await frames.next();
    } catch {
      // Whatever broke the stream: the engine tells whether it is there, when it is asked again.
      return true;
    }
    if (next.done === true) return !(await hasEnded(engine, id));
    const unread = next.value.subarray(Math.max(0, skip - passed));
    passed += next.value.length;
    if (unread.length > 0) await take(unread);
  }
}

async function openLog(engine: Engine, id: string, signal: AbortSignal): Promise<AsyncIterable<unknown>> {
  try {
    return await engine.logStream(id, true, signal);
  } catch (error) {
    if (error instanceof TowpathError && error.type === "EngineUnreachable") return nothing();
    if (answered(error, 404, 409)) return nothing();
    throw engineFailed("read a container's log", error);
  }
}

async function* nothing(): AsyncGenerator<Buffer> {}

async function hasEnded(engine: Engine, id: string): Promise<boolean> {
  try {
    const status = await engine.container(id);
    return status === null || status.state === "exited" || status.state === "dead";
  } catch (error) {
    if (error instanceof TowpathError && error.type === "EngineUnreachable") return false;
    throw error;
  }
}
