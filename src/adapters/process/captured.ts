import { type ChildProcess, spawn } from "node:child_process";

/** How a process ended. */
export interface Exit {
  readonly exitCode: number | null;
  readonly signal: string | null;
}

export interface Captured extends Exit {
  readonly stdout: Buffer;
  readonly stderr: string;
  /** It was ended because it wrote more than was asked for. */
  readonly truncated: boolean;
}

/** A process could not be started, as the system says. */
export class SpawnFailure extends Error {
  override readonly name = "SpawnFailure";
  constructor(
    readonly code: string | null,
    message: string,
  ) {
    super(message);
  }

  static of(error: unknown): SpawnFailure {
    if (!(error instanceof Error)) return new SpawnFailure(null, String(error));
    return new SpawnFailure(
      "code" in error && typeof error.code === "string" ? error.code : null,
      error.message,
    );
  }
}

export interface CapturedProcess {
  /** Rejects with SpawnFailure. */
  readonly done: Promise<Captured>;
  readonly cancel: () => void;
}

const MAX_STDERR_BYTES = 64 * 1024;

/** What is run and answered whole. */
export interface Capture {
  readonly file: string;
  readonly args: readonly string[];
  readonly cwd: string;
  /** The complete environment. */
  readonly env: Readonly<Record<string, string>>;
  /** Null: end-of-file at once. */
  readonly input: Uint8Array | null;
  /** The process is ended when it has written more than this. */
  readonly maxBytes: number;
}

/** Starts a process and collects what it writes. */
export function startCaptured(request: Capture): CapturedProcess {
  const { file, args, cwd, env, input, maxBytes } = request;
  const stdin = input === null ? "ignore" : "pipe";
  let child: ChildProcess;
  try {
    child = spawn(file, args, { cwd, env, stdio: [stdin, "pipe", "pipe"] });
  } catch (error) {
    return { done: Promise.reject(SpawnFailure.of(error)), cancel: () => undefined };
  }
  const stop = (): void => {
    child.kill();
    // What the process has started may hold these open.
    child.stdout?.destroy();
    child.stderr?.destroy();
  };
  const stdout = collect(child.stdout, maxBytes, stop);
  const stderr = collect(child.stderr, MAX_STDERR_BYTES);
  const done = new Promise<Captured>((resolve, reject) => {
    child.once("error", (error) => {
      if (child.pid === undefined) reject(SpawnFailure.of(error));
    });
    child.once("close", (exitCode, signal) => {
      const { chunks, truncated } = stdout;
      const complaint = Buffer.concat(stderr.chunks).toString("utf8");
      resolve({ exitCode, signal, stdout: Buffer.concat(chunks), stderr: complaint, truncated });
    });
  });
  // A child that does not read its input is none of our business: its exit code tells.
  child.stdin?.on("error", () => undefined);
  child.stdin?.end(input);
  return { done, cancel: stop };
}

interface Collected {
  readonly chunks: Buffer[];
  truncated: boolean;
}

/** Takes what a stream gives, up to a limit; the rest is read and dropped. */
function collect(stream: ChildProcess["stdout"], limit: number, onLimit?: () => void): Collected {
  const collected: Collected = { chunks: [], truncated: false };
  let size = 0;
  stream?.on("data", (chunk: Buffer) => {
    const room = limit - size;
    if (room > 0) collected.chunks.push(chunk.subarray(0, room));
    size += chunk.length;
    if (size <= limit || collected.truncated) return;
    collected.truncated = true;
    onLimit?.();
  });
  return collected;
}
