import { type ChildProcess, spawn } from "node:child_process";
import { Socket } from "node:net";
import { repositoryPlace, type Repository, type Worktree } from "./places.js";
import { pinnedArguments } from "./run.js";

type Home = Pick<Repository | Worktree, "gitDir" | "commonDir">;

/** A process that nobody has asked anything for so long ends. */
const IDLE_MS = 2_000;

/** By git directory and arguments. */
let kept: Map<string, KeptProcess> | null = null;

/**
 * Lets git processes go on living from now on where they can answer more than once: starting one takes ten times longer
 * than what it is asked for. They end with this process.
 * @returns ends them
 */
export function keepGitProcesses(): () => void {
  kept = new Map();
  return () => {
    for (const one of kept?.values() ?? []) one.end();
    kept = null;
  };
}

/**
 * Asks a git process that is kept, which begins with the first question.
 * @param args its subcommand and arguments
 * @param isAnswer tells the line that answers a question from others
 * @returns that line; null where none are kept or it ended: what was asked for may have been done all the same
 */
export async function askKept(
  home: Home,
  args: readonly string[],
  isAnswer: (line: string) => boolean,
  question: string,
): Promise<string | null> {
  return keptProcess(home, args, isAnswer)?.ask(question) ?? null;
}

/**
 * Starts a git process that is kept, if it does not run already, for a question that is about to come: it starts beside
 * what is to be done before.
 */
export function expectQuestion(
  home: Home,
  args: readonly string[],
  isAnswer: (line: string) => boolean,
): void {
  keptProcess(home, args, isAnswer)?.wait();
}

function keptProcess(
  home: Home,
  args: readonly string[],
  isAnswer: (line: string) => boolean,
): KeptProcess | null {
  if (kept === null) return null;
  const key = [home.gitDir, ...args].join("\0");
  const known = kept.get(key);
  if (known?.isAlive === true) return known;
  const begun = new KeptProcess(home, args, isAnswer, () => forget(key, begun));
  kept.set(key, begun);
  return begun;
}

/** A worker outlives thousands of migrations, each with a git directory of its own. */
function forget(key: string, ended: KeptProcess): void {
  if (kept?.get(key) === ended) kept.delete(key);
}

/** One process; a question that it cannot answer ends it, and all that were asked behind. */
class KeptProcess {
  readonly #child: ChildProcess;
  readonly #waiting: ((answer: string | null) => void)[] = [];
  #isAlive = true;
  #heard = "";
  #idle: NodeJS.Timeout | undefined;

  constructor(
    home: Home,
    args: readonly string[],
    private readonly isAnswer: (line: string) => boolean,
    private readonly onEnd: () => void,
  ) {
    const place = repositoryPlace(home);
    this.#child = spawn("git", [...pinnedArguments(place), ...args], {
      cwd: place.cwd,
      env: place.env,
      stdio: ["pipe", "pipe", "ignore"],
    });
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

  ask(question: string): Promise<string | null> {
    clearTimeout(this.#idle);
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#hold(true);
      this.#child.stdin?.write(question);
    });
  }

  /** For a question: not for ever. */
  wait(): void {
    if (this.#waiting.length > 0) return;
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => this.end(), IDLE_MS).unref();
  }

  /** What was asked for is still carried out. */
  end(): void {
    clearTimeout(this.#idle);
    this.#isAlive = false;
    this.#child.stdin?.end();
  }

  #hear(text: string): void {
    const lines = (this.#heard + text).split("\n");
    this.#heard = lines.pop() ?? "";
    for (const line of lines) if (this.isAnswer(line)) this.#waiting.shift()?.(line);
    if (this.#waiting.length > 0) return;
    this.#hold(false);
    this.wait();
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
    for (const resolve of this.#waiting.splice(0)) resolve(null);
    this.onEnd();
  }
}
