import { execFile } from "node:child_process";
import { access, constants } from "node:fs/promises";
import { homedir } from "node:os";
import { delimiter, isAbsolute, join } from "node:path";
import { promisify } from "node:util";
import { TowpathError, messageOf } from "../../model/errors.js";
import { makePrivateDirectory, removeFile } from "./files.js";
import { installWithGo } from "./go-install.js";
import { withLock } from "./lock.js";
import { downloadWithSdk } from "./sdk-download.js";
import { hasCode } from "../../model/system-errors.js";

const run = promisify(execFile);

/** The CLI release that is fetched or built where the machine has none: server 1.29.1, UI 2.42.1. */
export const TEMPORAL_CLI_VERSION = "1.5.1";

/** Older servers lack what the workflows use. */
const OLDEST_SERVER = [1, 29] as const;

const PROVISION_WAIT_MS = 30 * 60_000;

export type Environment = Readonly<Record<string, string | undefined>>;

export interface TemporalBinary {
  readonly path: string;
  /** As `temporal --version` says it. */
  readonly version: string;
  readonly source: "TOWPATH_TEMPORAL_CLI" | "PATH" | "cache" | "download" | "go";
}

export interface ProvisionTemporalOptions {
  readonly env: Environment;
  readonly onProgress?: (message: string) => void;
}

/** Where downloads and builds are kept: `TOWPATH_CACHE_DIR`, else `towpath` in the user's cache directory. */
export function cacheDirectory(env: Environment): string {
  if (env.TOWPATH_CACHE_DIR) return env.TOWPATH_CACHE_DIR;
  const base = env.XDG_CACHE_HOME;
  // The XDG rules say that a relative path is to be ignored.
  if (base && isAbsolute(base)) return join(base, "towpath");
  return join(env.HOME || homedir(), ".cache", "towpath");
}

/** A way to a binary: either the binary, or in words why this way does not lead to one. */
type Outcome = TemporalBinary | string;

/**
 * The Temporal CLI that is here already (configured, on PATH, or in our cache), without fetching or building one.
 * @returns the binary, or why each way failed
 * @throws TowpathError `TemporalUnavailable` where TOWPATH_TEMPORAL_CLI names something that does not work
 */
export async function findBinary(env: Environment): Promise<TemporalBinary | readonly string[]> {
  const configured = env.TOWPATH_TEMPORAL_CLI;
  if (configured) return configuredBinary(configured);
  const onPath = await binaryOnPath(env);
  if (typeof onPath !== "string") return onPath;
  const cached = await inspect(cachedPath(env), "cache");
  if (typeof cached !== "string") return cached;
  return ["TOWPATH_TEMPORAL_CLI: not set", `PATH: ${onPath}`, `cache: ${cached}`];
}

/**
 * The Temporal CLI, fetched or built where it is not here: TOWPATH_TEMPORAL_CLI, PATH, our cache, the SDK's own
 * download, `go install`.
 * @throws TowpathError `TemporalUnavailable`, naming every way and why it failed
 */
export async function provisionTemporal(options: ProvisionTemporalOptions): Promise<TemporalBinary> {
  const found = await findBinary(options.env);
  if ("path" in found) return found;
  const target = cachedPath(options.env);
  await makePrivateDirectory(join(target, ".."));
  return withLock(target, PROVISION_WAIT_MS, async () => {
    const meanwhile = await inspect(target, "cache");
    if (typeof meanwhile !== "string") return meanwhile;
    return fetchOrBuild(options, target, found);
  });
}

async function fetchOrBuild(
  options: ProvisionTemporalOptions,
  target: string,
  reasons: readonly string[],
): Promise<TemporalBinary> {
  const failures = [...reasons];
  const ways = [
    { source: "download", name: "download", attempt: downloadWithSdk },
    { source: "go", name: "go install", attempt: installWithGo },
  ] as const;
  for (const { source, name, attempt } of ways) {
    const failure = await attempt({ ...options, target, version: TEMPORAL_CLI_VERSION });
    const outcome = failure ?? (await inspect(target, source));
    if (typeof outcome !== "string") return outcome;
    failures.push(`${name}: ${outcome}`);
    await removeFile(target);
  }
  throw new TowpathError(
    "TemporalUnavailable",
    [
      "The Temporal server is not on this machine, and no way to it works:",
      ...failures.map((failure) => `  - ${failure}`),
      "Install the Temporal CLI (https://temporal.io/setup/install-temporal-cli) or Go, or set TEMPORAL_ADDRESS.",
    ].join("\n"),
    { details: { ways: failures } },
  );
}

function cachedPath(env: Environment): string {
  return join(cacheDirectory(env), "temporal", TEMPORAL_CLI_VERSION, "temporal");
}

/** What the user names is used or refused; silently using something else would hide the mistake. */
async function configuredBinary(path: string): Promise<TemporalBinary> {
  const outcome = await inspect(path, "TOWPATH_TEMPORAL_CLI");
  if (typeof outcome !== "string") return outcome;
  throw new TowpathError(
    "TemporalUnavailable",
    `TOWPATH_TEMPORAL_CLI does not name a usable Temporal CLI: ${outcome}. Correct it, or unset it.`,
    { details: { ways: [`TOWPATH_TEMPORAL_CLI: ${outcome}`] } },
  );
}

async function binaryOnPath(env: Environment): Promise<Outcome> {
  const reasons: string[] = [];
  for (const directory of (env.PATH ?? "").split(delimiter)) {
    if (!isAbsolute(directory)) continue;
    const path = join(directory, "temporal");
    if (!(await isExecutable(path))) continue;
    const outcome = await inspect(path, "PATH");
    if (typeof outcome !== "string") return outcome;
    reasons.push(outcome);
  }
  return reasons.length === 0 ? "no temporal there" : reasons.join("; ");
}

/** Runs it: a file of that name may be cut short, made for another machine, or another program altogether. */
async function inspect(path: string, source: TemporalBinary["source"]): Promise<Outcome> {
  if (!(await isExecutable(path))) return `${path} is not there or not executable`;
  try {
    const { stdout } = await run(path, ["--version"], { timeout: 15_000, env: { PATH: process.env.PATH } });
    const version = stdout.trim();
    const server = /\(Server (\d+)\.(\d+)/.exec(version);
    if (server === null) return `${path} does not say that it is the Temporal CLI`;
    const [major, minor] = [Number(server[1]), Number(server[2])];
    const recent = major > OLDEST_SERVER[0] || (major === OLDEST_SERVER[0] && minor >= OLDEST_SERVER[1]);
    if (!recent) return `${path} is too old (${version}; server ${OLDEST_SERVER.join(".")} is needed)`;
    return { path, version, source };
  } catch (error) {
    return `${path} does not run: ${messageOf(error).split("\n")[0]}`;
  }
}

async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return true;
  } catch (error) {
    if (hasCode(error, "ENOENT") || hasCode(error, "EACCES") || hasCode(error, "ENOTDIR")) return false;
    throw error;
  }
}
