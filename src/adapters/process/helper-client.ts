import { type ChildProcess, spawn } from "node:child_process";
import { TowpathError } from "../../model/errors.js";
import { type Captured, type Exit, SpawnFailure } from "./captured.js";
import { encodeFrame, FrameReader } from "./frames.js";
import { HelperAnswer, type HelperRequest } from "./helper-protocol.js";

/** The helper may not open this process's descriptors. */
export class DescriptorsUnreachable extends Error {
  override readonly name = "DescriptorsUnreachable";
}

export interface Started {
  readonly pid: number;
  /** Together with the pid it names one process for ever; null where the system did not tell. */
  readonly startTime: string | null;
  /** Rejects when whoever started it is gone, and nobody will ever know. */
  readonly exit: Promise<Exit>;
}

type Without<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;
type Request<K extends HelperRequest["kind"]> = Without<Extract<HelperRequest, { kind: K }>, "id" | "kind">;

interface Waiting {
  readonly answered: (answer: HelperAnswer, payload: Buffer) => void;
  readonly failed: (error: Error) => void;
}

/** The worker's side of a spawn helper. When the helper dies, whatever was asked of it fails. */
export class SpawnHelper {
  readonly #waiting = new Map<number, Waiting>();
  readonly #ready: Promise<void>;
  #lastId = 0;
  #isAlive = true;

  constructor(private readonly child: ChildProcess) {
    this.#ready = this.#listen();
    child.once("error", (error) => this.#end(error));
    child.once("exit", () => this.#end(new Error("it ended")));
    // Its end tells more than a pipe that broke.
    child.stdin?.on("error", () => undefined);
  }

  /** @throws TowpathError `Internal` when it cannot be started */
  static async start({ command, args }: { command: string; args: readonly string[] }): Promise<SpawnHelper> {
    const child = spawn(command, args, { env: {}, stdio: ["pipe", "pipe", "inherit"] });
    const helper = new SpawnHelper(child);
    await helper.#ready;
    return helper;
  }

  get isAlive(): boolean {
    return this.#isAlive;
  }

  get pid(): number | undefined {
    return this.child.pid;
  }

  /**
   * Runs a process to its end, and collects what it writes.
   * @throws SpawnFailure when it could not be started; the signal's reason when aborted, the process being gone then
   */
  async capture(
    request: Without<Request<"capture">, "hasInput">,
    input: Uint8Array | null,
    signal?: AbortSignal,
  ): Promise<Captured> {
    signal?.throwIfAborted();
    const id = this.#nextId();
    const cancel = (): void => this.#send({ kind: "cancel", id });
    signal?.addEventListener("abort", cancel, { once: true });
    try {
      return await new Promise<Captured>((resolve, reject) => {
        this.#expect(id, reject, (answer, stdout) => {
          this.#waiting.delete(id);
          if (answer.kind === "captured") resolve({ ...answer, stdout });
          else reject(unexpected(answer));
        });
        this.#send({ ...request, kind: "capture", hasInput: input !== null, id }, input ?? undefined);
      });
    } finally {
      signal?.removeEventListener("abort", cancel);
    }
  }

  /**
   * Starts a command in a session of its own, with descriptors of this process as its input and output.
   * @throws SpawnFailure when it could not be started, DescriptorsUnreachable
   */
  start(request: Request<"command">): Promise<Started> {
    const id = this.#nextId();
    return new Promise((resolve, reject) => {
      let ended: ((exit: Exit) => void) | undefined;
      let lost: (error: Error) => void = reject;
      this.#expect(
        id,
        (error) => lost(error),
        (answer) => {
          if (answer.kind === "started") {
            const exit = new Promise<Exit>((resolveExit, rejectExit) => {
              ended = resolveExit;
              lost = rejectExit;
            });
            resolve({ pid: answer.pid, startTime: answer.startTime, exit });
            return;
          }
          this.#waiting.delete(id);
          if (answer.kind === "exited") ended?.({ exitCode: answer.exitCode, signal: answer.signal });
          else lost(unexpected(answer));
        },
      );
      this.#send({ ...request, kind: "command", id });
    });
  }

  /** Lets it end; resolves when it has. */
  async close(): Promise<void> {
    if (!this.#isAlive) return;
    const ended = new Promise((resolve) => this.child.once("exit", resolve));
    this.child.stdin?.end();
    await ended;
  }

  #nextId(): number {
    if (!this.#isAlive) throw helperLost(new Error("it has ended"));
    this.#lastId += 1;
    return this.#lastId;
  }

  #expect(id: number, failed: Waiting["failed"], answered: Waiting["answered"]): void {
    this.#waiting.set(id, { answered, failed });
  }

  #send(request: HelperRequest, payload?: Uint8Array): void {
    if (this.#isAlive) this.child.stdin?.write(encodeFrame(request, payload));
  }

  #listen(): Promise<void> {
    const reader = new FrameReader();
    return new Promise((resolve, reject) => {
      this.#expect(0, reject, () => resolve());
      this.child.stdout?.on("data", (chunk: Buffer) => {
        for (const { header, payload } of reader.push(chunk)) {
          const answer = HelperAnswer.parse(header);
          this.#waiting.get(answer.kind === "ready" ? 0 : answer.id)?.answered(answer, payload);
        }
      });
    });
  }

  #end(cause: Error): void {
    this.#isAlive = false;
    for (const { failed } of this.#waiting.values()) failed(helperLost(cause));
    this.#waiting.clear();
  }
}

function unexpected(answer: HelperAnswer): Error {
  if (answer.kind === "failed") return new SpawnFailure(answer.code, answer.message);
  if (answer.kind === "unreachable") return new DescriptorsUnreachable(answer.message);
  return new TowpathError("Internal", `The spawn helper answered '${answer.kind}' out of turn`);
}

function helperLost(cause: Error): TowpathError {
  return new TowpathError("Internal", "The process that starts Towpath's processes is gone; try again", {
    cause,
  });
}
