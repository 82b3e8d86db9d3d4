import { execFile, spawn, type ChildProcess } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inject } from "vitest";
import { downEmbedded } from "../../src/adapters/temporal/embedded.js";
import { EMBEDDED_NAMESPACE } from "../../src/adapters/temporal/target.js";
import { downWorker } from "../../src/worker/background.js";
import { makeNamespace } from "./cluster/namespaces.js";
import { installation, type InstalledParts } from "./installation.js";

export interface CliAnswer {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * A home of its own with an empty data directory, and the installed CLI to run in it. Its Temporal is the embedded one; in
 * a run against a cluster, a namespace of its own there.
 */
export interface Home {
  readonly dataDir: string;
  readonly env: Record<string, string>;
  /** Temporal's. */
  readonly namespace: string;
  run(args: readonly string[], env?: Record<string, string>): Promise<CliAnswer>;
  spawn(args: readonly string[], env?: Record<string, string>): ChildProcess;
  /** Ends worker and server, and removes everything. */
  remove(): Promise<void>;
}

export async function makeHome(parts: InstalledParts = "fixtures"): Promise<Home> {
  const directory = await mkdtemp(join(tmpdir(), "towpath-home-"));
  const dataDir = join(directory, "data");
  const bin = await installation(parts);
  const configured = await configuredTemporal();
  const env = {
    PATH: process.env.PATH ?? "",
    HOME: directory,
    TOWPATH_DATA_DIR: dataDir,
    TOWPATH_CACHE_DIR: join(directory, "cache"),
    NO_COLOR: "1",
    ...configured,
    ...(process.env.TOWPATH_TEMPORAL_CLI === undefined
      ? {}
      : { TOWPATH_TEMPORAL_CLI: process.env.TOWPATH_TEMPORAL_CLI }),
  };
  return {
    dataDir,
    env,
    namespace: configured["TEMPORAL_NAMESPACE"] ?? EMBEDDED_NAMESPACE,
    run: (args, more = {}) => runNode([bin, ...args], { ...env, ...more }),
    spawn: (args, more = {}) =>
      spawn(process.execPath, [bin, ...args], {
        env: { ...env, ...more },
        stdio: ["ignore", "pipe", "pipe"],
      }),
    remove: async () => {
      await downWorker(dataDir);
      await downEmbedded(dataDir);
      await rm(directory, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

async function configuredTemporal(): Promise<Record<string, string>> {
  if (inject("temporalServer") === "embedded") return {};
  const address = inject("temporalAddress");
  return {
    TEMPORAL_ADDRESS: address,
    TEMPORAL_NAMESPACE: await makeNamespace({ address, namespace: "default" }, "home"),
    TEMPORAL_UI_ADDRESS: inject("temporalUi"),
  };
}

function runNode(args: readonly string[], env: Record<string, string>): Promise<CliAnswer> {
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [...args], { env }, (error, stdout, stderr) => {
      if (error === null) resolve({ code: 0, stdout, stderr });
      else if (typeof error.code === "number") resolve({ code: error.code, stdout, stderr });
      else reject(error);
    });
  });
}
