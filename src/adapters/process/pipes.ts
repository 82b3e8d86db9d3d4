import { randomUUID } from "node:crypto";
import { closeSync, constants, openSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { TowpathError } from "../../model/errors.js";
import { capture } from "./processes.js";

/** The two ends of a pipe, as file descriptors. */
export interface PipeEnds {
  readonly read: number;
  readonly write: number;
}

/** A spawn of mkfifo is paid once for so many commands. */
const PIPES_AT_ONCE = 16;

const ready: PipeEnds[] = [];
let making: Promise<void> | undefined;

/**
 * Makes a pipe for a command's output. Node's own stdio pipes are sockets: a script that writes to `/dev/stderr` fails on them, and
 * two of them lose the order of stdout and stderr. Nothing stays in the file system. The caller closes both ends.
 *
 * @throws TowpathError `StorageFailed` when no pipe can be made in the temporary directory.
 */
export async function openPipe(): Promise<PipeEnds> {
  for (;;) {
    const pipe = ready.pop();
    if (pipe !== undefined) return pipe;
    making ??= makePipes().finally(() => {
      making = undefined;
    });
    await making;
  }
}

async function makePipes(): Promise<void> {
  try {
    const directory = await mkdtemp(path.join(os.tmpdir(), "towpath-pipes-"));
    try {
      const names = Array.from({ length: PIPES_AT_ONCE }, (_, index) => path.join(directory, String(index)));
      await makeFifos(directory, names);
      for (const name of names) ready.push(openEnds(name));
    } finally {
      await rm(directory, { recursive: true });
    }
  } catch (error) {
    throw new TowpathError(
      "StorageFailed",
      `Cannot make a pipe for a command in ${os.tmpdir()}: check that it is writable, has room, and that mkfifo is installed.`,
      { cause: error },
    );
  }
}

async function makeFifos(cwd: string, names: readonly string[]): Promise<void> {
  const env = { PATH: process.env["PATH"] ?? "/usr/bin:/bin" };
  const args = ["-m", "600", ...names];
  const { exitCode, stderr } = await capture({ file: "mkfifo", args, cwd, env, input: null, maxBytes: 0 });
  if (exitCode !== 0) throw new Error(`mkfifo: ${stderr}`);
}

/** The reading end must not block while it is opened; the writing end must block, as programs expect of their output. */
function openEnds(name: string): PipeEnds {
  const read = openSync(name, constants.O_RDONLY | constants.O_NONBLOCK);
  return { read, write: openSync(name, constants.O_WRONLY) };
}

/**
 * Opens a nameless file with a command's whole input: unlike a pipe it cannot block or break when the command does not read it, and
 * `/dev/stdin` can be opened. The caller closes the descriptor.
 *
 * @throws TowpathError `StorageFailed` when the input cannot be stored.
 */
export async function openInput(input: string | undefined): Promise<number> {
  if (input === undefined) return openSync("/dev/null", constants.O_RDONLY);
  const file = path.join(os.tmpdir(), `towpath-stdin-${randomUUID()}`);
  try {
    writeFileSync(file, input, { flag: "wx", mode: 0o600 });
    return openSync(file, constants.O_RDONLY);
  } catch (error) {
    throw new TowpathError("StorageFailed", `Cannot store a command's input in ${os.tmpdir()}.`, {
      cause: error,
    });
  } finally {
    await rm(file, { force: true });
  }
}

/** Closes what `openPipe` or `openInput` returned. */
export function closeDescriptors(...descriptors: readonly number[]): void {
  for (const descriptor of descriptors) closeSync(descriptor);
}
