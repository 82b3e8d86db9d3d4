/**
 * The process that starts processes for a worker. Starting one costs the more the larger the process that does it, and
 * stops it meanwhile; this one stays small, so it imports next to nothing. It ends when the worker closes its input.
 */
import { spawn } from "node:child_process";
import { closeSync, constants, openSync } from "node:fs";
import { type CapturedProcess, SpawnFailure, startCaptured } from "./captured.js";
import { encodeFrame, FrameReader } from "./frames.js";
import type { HelperAnswer, HelperRequest } from "./helper-protocol.js";
import { childStartTime } from "./process-table.js";

const captured = new Map<number, CapturedProcess>();

function answer(header: HelperAnswer, payload?: Uint8Array): void {
  process.stdout.write(encodeFrame(header, payload));
}

function fail(id: number, error: unknown): void {
  const { code, message } = error instanceof SpawnFailure ? error : SpawnFailure.of(error);
  answer({ kind: "failed", id, code, message });
}

async function capture(request: Extract<HelperRequest, { kind: "capture" }>, input: Buffer): Promise<void> {
  const { id, hasInput } = request;
  const child = startCaptured({ ...request, input: hasInput ? input : null });
  captured.set(id, child);
  try {
    const { stdout, ...result } = await child.done;
    answer({ ...result, kind: "captured", id }, stdout);
  } catch (error) {
    fail(id, error);
  } finally {
    captured.delete(id);
  }
}

function command(request: Extract<HelperRequest, { kind: "command" }>): void {
  const descriptors: number[] = [];
  try {
    descriptors.push(
      openSync(request.stdin, constants.O_RDONLY),
      openSync(request.output, constants.O_WRONLY),
    );
  } catch (error) {
    return answer({ kind: "unreachable", id: request.id, message: String(error) });
  }
  try {
    startCommand(request, descriptors);
  } catch (error) {
    fail(request.id, error);
  } finally {
    for (const descriptor of descriptors) closeSync(descriptor);
  }
}

function startCommand(
  { id, file, args, cwd, env }: Extract<HelperRequest, { kind: "command" }>,
  [stdin, output]: readonly number[],
): void {
  const child = spawn(file, args, { cwd, env, stdio: [stdin, output, output], detached: true });
  const { pid } = child;
  if (pid === undefined) return void child.once("error", (error) => fail(id, error));
  // Asked for in this turn, in which the child cannot have been waited for: it is still listed if it has ended.
  answer({ kind: "started", id, pid, startTime: childStartTime(pid) });
  child.once("exit", (exitCode, signal) => answer({ kind: "exited", id, exitCode, signal }));
}

function take(request: unknown, payload: Buffer): void {
  if (!isRequest(request)) throw new Error("the worker sent no request");
  if (request.kind === "command") return command(request);
  if (request.kind === "cancel") return captured.get(request.id)?.cancel();
  void capture(request, payload);
}

/** The worker is of the same build; no more is checked than that nothing else talks here. */
function isRequest(value: unknown): value is HelperRequest {
  if (typeof value !== "object" || value === null || !("kind" in value) || !("id" in value)) return false;
  return ["capture", "command", "cancel"].includes(String(value.kind)) && typeof value.id === "number";
}

const reader = new FrameReader();
process.stdin.on("data", (chunk: Buffer) => {
  for (const { header, payload } of reader.push(chunk)) take(header, payload);
});
process.stdin.once("end", () => process.exit(0));
// Nobody reads the answers any more: the worker is gone.
process.stdout.on("error", () => process.exit(0));
// Ctrl-C reaches the whole group; the worker decides what ends.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => undefined);
answer({ kind: "ready" });
