import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { cp, mkdir, rename } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { provisionInto, runTool } from "../../../src/adapters/temporal/fetching.js";
import { makePrivateDirectory } from "../../../src/adapters/temporal/files.js";
import { withLock } from "../../../src/adapters/temporal/lock.js";
import { cacheDirectory } from "../../../src/adapters/temporal/provision.js";
import { messageOf } from "../../../src/model/errors.js";

/** The server of the embedded one, and the Web UI of the same release. */
const SERVER = { module: "go.temporal.io/server", version: "v1.29.1" } as const;
const UI = { module: "github.com/temporalio/ui-server/v2", version: "v2.42.1" } as const;

/** What the server's `go.mod` asks for. */
const OLDEST_GO = [1, 25] as const;

/** A cold build takes three minutes on two cores; slow machines and networks get ten times that. */
const BUILD_LIMIT_MS = 30 * 60_000;

/** Temporal's distributed engine, built for this machine. */
export interface ClusterBinaries {
  readonly server: string;
  /** Sets up and updates the schemas. */
  readonly sql: string;
  readonly ui: string;
  /** Directory of the PostgreSQL schemas: `temporal/versioned`, `visibility/versioned`. */
  readonly schema: string;
}

/** Why there are no binaries here and none can be built; null where there are, or Go is there to build them. */
export function binariesProblem(): string | null {
  if (existsSync(target())) return null;
  let version: string;
  try {
    version = execFileSync("go", ["env", "GOVERSION"], { encoding: "utf8" }).trim();
  } catch {
    return `no Go on PATH to build the Temporal server with (${OLDEST_GO.join(".")} or newer)`;
  }
  const [, major, minor] = /^go(\d+)\.(\d+)/.exec(version) ?? [];
  const isRecent = Number(major) === OLDEST_GO[0] && Number(minor) >= OLDEST_GO[1];
  return isRecent ? null : `${version} is too old to build the Temporal server with (${OLDEST_GO.join(".")})`;
}

/**
 * The binaries from the machine's cache, built from their Go modules where they are not there yet.
 * @throws Error where they cannot be built
 */
export async function clusterBinaries(onProgress: (message: string) => void): Promise<ClusterBinaries> {
  const directory = target();
  if (!existsSync(directory)) {
    await makePrivateDirectory(join(directory, ".."));
    await withLock(directory, BUILD_LIMIT_MS, async () => {
      if (existsSync(directory)) return;
      onProgress("building the Temporal server with Go (about 3 minutes, once)…");
      const failure = await provisionInto(directory, build);
      if (failure !== null) throw new Error(`The Temporal server cannot be built: ${failure}`);
    });
  }
  const at = (name: string): string => join(directory, name);
  return { server: at("server"), sql: at("sql"), ui: at("ui"), schema: at("schema") };
}

/** Beside the product's own cached binaries; the schemas are kept with them, so that the modules are needed once. */
function target(): string {
  return join(cacheDirectory(process.env), "temporal-server", `${SERVER.version}-ui-${UI.version}`);
}

async function build(directory: string): Promise<{ made: string } | { failure: string }> {
  const made = join(directory, "built");
  const server = [`${SERVER.module}/cmd/server`, `${SERVER.module}/cmd/tools/sql`];
  const failure =
    (await goInstall(
      made,
      server.map((command) => `${command}@${SERVER.version}`),
    )) ?? (await goInstall(join(directory, "ui"), [`${UI.module}/cmd/server@${UI.version}`]));
  if (failure !== null) return { failure };
  try {
    await rename(join(directory, "ui", "server"), join(made, "ui"));
    const { stdout } = await execa("go", ["env", "GOMODCACHE"]);
    const schema = join(`${SERVER.module}@${SERVER.version}`, "schema", "postgresql", "v12");
    await mkdir(join(made, "schema"));
    for (const name of ["temporal", "visibility"]) {
      await cp(join(stdout.trim(), schema, name), join(made, "schema", name), { recursive: true });
    }
    return { made };
  } catch (error) {
    return { failure: messageOf(error) };
  }
}

function goInstall(directory: string, commands: readonly string[]): Promise<string | null> {
  return runTool({
    command: "go",
    args: ["install", ...commands],
    env: { ...process.env, GOBIN: directory, CGO_ENABLED: "0" },
    timeoutMs: BUILD_LIMIT_MS,
  });
}
