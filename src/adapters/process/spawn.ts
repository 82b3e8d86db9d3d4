import { accessSync, constants, statSync } from "node:fs";
import path from "node:path";
import { messageOf, TowpathError } from "../../model/errors.js";
import type { Started } from "./helper-client.js";
import { start } from "./processes.js";
import { hasCode } from "../../model/system-errors.js";

/** What to run: a script, given whole to one shell, or a program with its arguments. */
export type Command =
  { readonly script: string } | { readonly argv: readonly [string, ...(readonly string[])] };

export interface SpawnRequest {
  readonly command: Command;
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  /** Descriptors for the child; this process keeps its own copies. */
  readonly stdin: number;
  readonly output: number;
}

export type Spawned = Started | { readonly failure: string };

/** Starts a command as the leader of its own session and process group. A command that cannot be started is an answer, not an exception. */
export async function spawnCommand(request: SpawnRequest): Promise<Spawned> {
  if (!isDirectory(request.cwd)) return { failure: `the working directory ${request.cwd} does not exist` };
  const [file, ...args] = programOf(request);
  try {
    const { cwd, env, stdin, output } = request;
    return await start({ file, args, cwd, env, stdin, output });
  } catch (error) {
    // Whether a process was started is not known: the caller ends whatever has its mark.
    if (error instanceof TowpathError) throw error;
    return { failure: spawnFailure(file, error) };
  }
}

function programOf({ command, env }: SpawnRequest): readonly [string, ...string[]] {
  if ("script" in command) return shellCommand(command.script, env["PATH"] ?? "");
  const [file, ...args] = command.argv;
  return [file, ...args];
}

const USUAL_DIRECTORIES = ["/bin", "/usr/bin"];

/**
 * The shell for a script: bash as the command's own PATH has it, or from where it usually is, ending at the first failure; `sh -e`
 * where there is none.
 */
export function shellCommand(
  script: string,
  searchPath: string,
  usual: readonly string[] = USUAL_DIRECTORIES,
): readonly [string, ...string[]] {
  const own = searchPath.split(path.delimiter).filter((entry) => path.isAbsolute(entry));
  const bash = [...own, ...usual].map((directory) => path.join(directory, "bash")).find(isExecutable);
  return bash === undefined ? ["sh", "-e", "-c", script] : [bash, "-e", "-o", "pipefail", "-c", script];
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch (error) {
    if (hasCode(error, "ENOENT", "ENOTDIR", "EACCES")) return false;
    throw new TowpathError("StorageFailed", `Cannot look at ${file}.`, { cause: error });
  }
}

function isDirectory(directory: string): boolean {
  try {
    return statSync(directory).isDirectory();
  } catch (error) {
    if (hasCode(error, "ENOENT", "ENOTDIR", "EACCES")) return false;
    throw new TowpathError("StorageFailed", `Cannot look at ${directory}.`, { cause: error });
  }
}

function spawnFailure(file: string, error: unknown): string {
  if (hasCode(error, "ENOENT")) return `${file} was not found on the command's PATH`;
  if (hasCode(error, "EACCES")) return `${file} may not be executed`;
  if (hasCode(error, "E2BIG"))
    return "the command and its environment are too long for the system: put long text into a file or on stdin";
  return messageOf(error);
}
