import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";

/** A program that shows long text a screen at a time, and takes the terminal until it is left. */
export interface Pager {
  /** Resolves when the pager has taken the text; what comes after it was left goes nowhere. */
  write(text: string): Promise<void>;
  /** No more text comes: resolves when the pager was left. */
  end(): Promise<void>;
}

/**
 * Starts a pager on this process's terminal, without a shell.
 * @returns null where it cannot be started
 */
export async function startPager(
  command: readonly [program: string, ...args: string[]],
  env: Readonly<Record<string, string | undefined>>,
): Promise<Pager | null> {
  const [program, ...args] = command;
  const child = spawn(program, args, { stdio: ["pipe", "inherit", "inherit"], env: { ...env } });
  const started = await new Promise<boolean>((resolve) => {
    child.once("spawn", () => resolve(true));
    child.once("error", () => resolve(false));
  });
  return started ? pagerOn(child, child.stdin) : null;
}

function ignore(): void {
  // Nothing is to be done.
}

function pagerOn(child: ChildProcess, stdin: NodeJS.WritableStream): Pager {
  // Ctrl-C is the pager's: it ends a search there, and must not take its terminal away.
  process.on("SIGINT", ignore);
  const left = once(child, "exit");
  let gone = false;
  child.once("exit", () => {
    gone = true;
  });
  // Somebody who leaves the pager has seen enough.
  stdin.on("error", () => {
    gone = true;
  });
  return {
    write: (text) =>
      new Promise((resolve) => {
        if (gone) resolve();
        else stdin.write(text, () => resolve());
      }),
    end: async () => {
      stdin.end();
      await left;
      process.off("SIGINT", ignore);
    },
  };
}
