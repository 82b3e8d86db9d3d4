import { type ChildProcess, spawn } from "node:child_process";
import { Socket } from "node:net";
import { repositoryPlace, type Repository, type Worktree } from "./places.js";
import { pinnedArguments } from "./run.js";

export interface RefUpdate {
  readonly ref: string;
  readonly to: string;
  /** What it is now; zeros: there is none. */
  readonly expected: string;
}

type Home = Pick<Repository | Worktree, "gitDir" | "commonDir">;

/** A process that nobody has asked anything for so long ends. */
const IDLE_MS = 2_000;

/** What needs no quoting on git's input. */
const PLAIN_REF = /^refs\/[A-Za-z0-9._/-]+$/;

/** Said behind each transaction that was carried out. */
const DONE = "commit: ok";

/** By git directory and reason, for a reason is given to the process once. */
let updaters: Map<string, RefUpdater> | null = null;

/**
 * Lets refs be moved, from now on, by git processes that go on living: starting one for each ref takes ten times longer
 * than moving it. They end with this process.
 * @returns ends them
 */
export function keepRefUpdaters(): () => void {
  updaters = new Map();
  return () => {
    for (const updater of updaters?.values() ?? []) updater.end();
    updaters = null;
  };
}

/**
 * Moves a ref by a process that is kept.
 * @returns false where that is not known to have happened: whoever asks has to look, or try it otherwise
 */
export async function updateByKeptProcess(home: Home, reason: string, update: RefUpdate): Promise<boolean> {
  if (updaters === null || !PLAIN_REF.test(update.ref)) return false;
  const key = `${home.gitDir}\0${reason}`;
  const known = updaters.get(key);
  const updater = known?.isAlive === true ? known : new RefUpdater(home, reason);
  updaters.set(key, updater);
  return updater.update(update);
}

/** One `git update-ref --stdin`; a transaction that fails ends it, and all that were asked for behind. */
class RefUpdater {
  readonly #child: ChildProcess;
  readonly #waiting: ((isDone: boolean) => void)[] = [];
  #isAlive = true;
  #answers = "";
  #idle: NodeJS.Timeout | undefined;

  constructor(home: Home, reason: string) {
    const place = repositoryPlace(home);
    const args = [...pinnedArguments(place), "update-ref", "-m", reason, "--stdin"];
    this.#child = spawn("git", args, { cwd: place.cwd, env: place.env, stdio: ["pipe", "pipe", "ignore"] });
    this.#child.once("error", () => this.#ended());
    this.#child.once("close", () => this.#ended());
    // Its end tells more than a pipe that broke.
    this.#child.stdin?.on("error", () => undefined);
    this.#child.stdout?.on("data", (chunk: Buffer) => this.#hear(chunk.toString("latin1")));
    this.#child.unref();
    for (const pipe of [this.#child.stdin, this.#child.stdout]) if (pipe instanceof Socket) pipe.unref();
  }

  get isAlive(): boolean {
    return this.#isAlive;
  }

  update({ ref, to, expected }: RefUpdate): Promise<boolean> {
    clearTimeout(this.#idle);
    const lines = ["start", "option no-deref", `update ${ref} ${to} ${expected}`, "prepare", "commit", ""];
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#hold(true);
      this.#child.stdin?.write(lines.join("\n"));
    });
  }

  /** What was asked for is still carried out. */
  end(): void {
    clearTimeout(this.#idle);
    this.#isAlive = false;
    this.#child.stdin?.end();
  }

  #hear(text: string): void {
    const lines = (this.#answers + text).split("\n");
    this.#answers = lines.pop() ?? "";
    for (const line of lines) if (line === DONE) this.#waiting.shift()?.(true);
    if (this.#waiting.length > 0) return;
    this.#hold(false);
    this.#idle = setTimeout(() => this.end(), IDLE_MS).unref();
  }

  /** Keeps this process from ending while somebody waits for an answer. */
  #hold(isWaiting: boolean): void {
    const { stdout } = this.#child;
    if (!(stdout instanceof Socket)) return;
    if (isWaiting) stdout.ref();
    else stdout.unref();
  }

  #ended(): void {
    this.#isAlive = false;
    clearTimeout(this.#idle);
    for (const resolve of this.#waiting.splice(0)) resolve(false);
  }
}
