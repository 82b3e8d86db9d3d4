import { execFile } from "node:child_process";
import { mkdtemp, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";

/** What every way to fetch or build the Temporal CLI is given. */
export interface ProvisionOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly onProgress?: (message: string) => void;
  /** Where the binary must be in the end. */
  readonly target: string;
  /** Release, without the `v`. */
  readonly version: string;
}

/**
 * Lets `make` put a binary into a directory beside the target, and moves it there in one step: whoever finds the
 * target finds all of it.
 * @returns null, or what `make` says went wrong
 */
export async function provisionInto(
  target: string,
  make: (directory: string) => Promise<{ readonly made: string } | { readonly failure: string }>,
): Promise<string | null> {
  const directory = await mkdtemp(join(dirname(target), ".provision-"));
  try {
    const outcome = await make(directory);
    if ("failure" in outcome) return outcome.failure;
    await rename(outcome.made, target);
    return null;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

export interface ToolRun {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly timeoutMs: number;
}

/** Runs a tool to its end. @returns null on success, else its own last words */
export function runTool(tool: ToolRun): Promise<string | null> {
  return new Promise((resolve) => {
    execFile(
      tool.command,
      tool.args,
      { env: tool.env, timeout: tool.timeoutMs, killSignal: "SIGKILL", maxBuffer: 64 * 1024 * 1024 },
      (error, _stdout, stderr) => {
        if (error === null) resolve(null);
        else if (error.killed === true) resolve(`not done after ${Math.round(tool.timeoutMs / 1000)} s`);
        else resolve(stderr.trim().split("\n").slice(-3).join(" / ") || error.message);
      },
    );
  });
}
