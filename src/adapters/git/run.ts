import { stat } from "node:fs/promises";
import { TowpathError } from "../../model/errors.js";
import { SpawnFailure } from "../process/captured.js";
import { capture } from "../process/processes.js";

/** Where a git command works. Directories are given to git, never discovered: a step may have planted its own `.git`. */
export interface GitPlace {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  /** Gitignore patterns that hold besides the repository's own; replaces the user's `core.excludesFile`. */
  readonly excludesFile?: string;
}

export interface GitOptions {
  readonly input?: string | Uint8Array;
  readonly env?: Readonly<Record<string, string>>;
  /** Settings that hold for this once, as `key=value`. */
  readonly config?: readonly string[];
  /** Exit codes that are an answer and not a failure; default `[0]`. */
  readonly accept?: readonly number[];
  /** Stop git when it has written this much, and take what there is. */
  readonly maxBytes?: number;
  readonly signal?: AbortSignal | undefined;
}

export interface GitResult {
  readonly exitCode: number;
  readonly stdout: Buffer;
  readonly stderr: string;
  /** The output was cut at `maxBytes`. */
  readonly truncated: boolean;
}

const INHERITED = ["PATH", "HOME", "USER", "LOGNAME", "TMPDIR"] as const;

/** How long git itself waits for a ref's lock; a lock that is older than this has no living holder. */
export const REF_LOCK_TIMEOUT_MS = 1_000;

/** What a repository's or a user's configuration may say, and must not say here: each could run a program or bend a result. */
const PINNED_CONFIG = [
  "core.hooksPath=/dev/null",
  "core.fsmonitor=false",
  "core.untrackedCache=false",
  "core.splitIndex=false",
  "core.sparseCheckout=false",
  "core.attributesFile=/dev/null",
  "core.quotePath=false",
  "core.pager=cat",
  "core.fsync=loose-object,pack,pack-metadata,reference",
  "core.fsyncMethod=batch",
  `core.filesRefLockTimeout=${REF_LOCK_TIMEOUT_MS + 200}`,
  "index.sparse=false",
  "gc.auto=0",
  "maintenance.auto=false",
  "commit.gpgSign=false",
  "log.showSignature=false",
  "trailer.separators=:",
  "i18n.commitEncoding=UTF-8",
  "i18n.logOutputEncoding=UTF-8",
  "submodule.recurse=false",
  "diff.ignoreSubmodules=dirty",
  "clean.requireForce=false",
  "protocol.ext.allow=never",
  "advice.detachedHead=false",
] as const;

const MAX_OUTPUT_BYTES = 512 * 1024 * 1024;
const MAX_STDERR_CHARACTERS = 600;

/** The identity behind ref logs and commits where nobody else's is asked for. */
export const TOWPATH_IDENTITY = { name: "Towpath", email: "towpath@localhost" } as const;

/** An environment that carries nothing of the caller's git and none of its secrets. */
export function baseEnvironment(): Record<string, string> {
  const env: Record<string, string> = {
    LC_ALL: "C",
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_CONFIG_GLOBAL: "/dev/null",
    GIT_ATTR_NOSYSTEM: "1",
    GIT_TERMINAL_PROMPT: "0",
    GIT_OPTIONAL_LOCKS: "0",
    GIT_EDITOR: ":",
    GIT_COMMITTER_NAME: TOWPATH_IDENTITY.name,
    GIT_COMMITTER_EMAIL: TOWPATH_IDENTITY.email,
    GIT_AUTHOR_NAME: TOWPATH_IDENTITY.name,
    GIT_AUTHOR_EMAIL: TOWPATH_IDENTITY.email,
  };
  for (const name of INHERITED) {
    const value = process.env[name];
    if (value !== undefined) env[name] = value;
  }
  return env;
}

/**
 * Runs git once, without a shell, under pinned configuration.
 * @throws TowpathError `GitFailed` when git is missing or its exit code is not accepted; the signal's reason when aborted
 */
export async function runGit(
  place: GitPlace,
  args: readonly string[],
  options: GitOptions = {},
): Promise<GitResult> {
  const { signal, maxBytes, input } = options;
  const captured = await capture({
    file: "git",
    args: [...pinnedArguments(place, options.config), ...args],
    cwd: place.cwd,
    env: { ...place.env, ...options.env },
    input: input === undefined ? null : Buffer.from(input),
    maxBytes: maxBytes ?? MAX_OUTPUT_BYTES,
    signal,
  }).catch(async (error: unknown) => {
    if (error instanceof SpawnFailure) throw await notStarted(place, args, error);
    throw error;
  });
  const { stdout, stderr, truncated } = captured;
  if (truncated && maxBytes !== undefined) return { exitCode: 0, stdout, stderr, truncated };
  const how = truncated ? "it writes too much" : `ended by ${captured.signal ?? "nobody knows what"}`;
  if (truncated || captured.exitCode === null) throw gitFailed(args, place.cwd, how, stderr);
  const { exitCode } = captured;
  if (!(options.accept ?? [0]).includes(exitCode)) {
    throw gitFailed(args, place.cwd, `exit code ${exitCode}`, stderr);
  }
  return { exitCode, stdout, stderr, truncated: false };
}

/** The output as text without its last newline. */
export async function gitText(
  place: GitPlace,
  args: readonly string[],
  options: GitOptions = {},
): Promise<string> {
  const { stdout } = await runGit(place, args, options);
  return stdout.toString("utf8").replace(/\n$/, "");
}

/** Arguments in front of the subcommand. */
export function pinnedArguments(place: GitPlace, config: readonly string[] = []): string[] {
  const excludes = `core.excludesFile=${place.excludesFile ?? "/dev/null"}`;
  const settings = [...PINNED_CONFIG, excludes, ...config];
  return ["--no-pager", ...settings.flatMap((setting) => ["-c", setting])];
}

/** Git's complaint, without its hints, short enough for a message. */
export function shortened(stderr: string): string {
  const text = stderr
    .split("\n")
    .filter((line) => line.trim() !== "" && !line.startsWith("hint:"))
    .join("; ");
  return text.length > MAX_STDERR_CHARACTERS ? `${text.slice(0, MAX_STDERR_CHARACTERS)}…` : text;
}

function gitFailed(args: readonly string[], cwd: string, how: string, stderr: string): TowpathError {
  const command = args.find((arg) => !arg.startsWith("-")) ?? "";
  const complaint = shortened(stderr);
  return new TowpathError(
    "GitFailed",
    `git ${command} failed in ${cwd} (${how})${complaint && `: ${complaint}`}`,
    {
      details: { command, cwd, stderr: complaint },
    },
  );
}

async function notStarted(
  place: GitPlace,
  args: readonly string[],
  failure: SpawnFailure,
): Promise<TowpathError> {
  if (failure.code === "ENOENT" && (await isDirectory(place.cwd))) {
    return new TowpathError("GitFailed", "git was not found on PATH: install git 2.36 or newer");
  }
  return gitFailed(args, place.cwd, failure.message, "");
}

async function isDirectory(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}
