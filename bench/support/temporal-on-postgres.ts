import { type ChildProcess, spawn } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Connection } from "@temporalio/client";
import { execa } from "execa";
import { stringify } from "yaml";
import { freePort, Postgres } from "./postgres.js";

const SERVER = "go.temporal.io/server";
const VERSION = "v1.29.1";
const ROLE = "temporal";

/** Kept between runs: compiling takes minutes. */
const CACHE = join(tmpdir(), `towpath-bench-temporal-${VERSION}`);

/** A Temporal server of one process on a PostgreSQL of its own, with the settings of the embedded one. */
export class TemporalOnPostgres {
  private constructor(
    readonly address: string,
    private readonly directory: string,
    private readonly postgres: Postgres,
    private readonly server: ChildProcess,
  ) {}

  /** @throws Error where Go or PostgreSQL is missing */
  static async start(): Promise<TemporalOnPostgres> {
    const schema = await compile();
    const postgres = await Postgres.start();
    if (postgres === null) throw new Error("no PostgreSQL is installed below /usr/lib/postgresql");
    await postgres.createRole(ROLE);
    for (const [database, folder] of [
      ["temporal", "temporal"],
      ["temporal_visibility", "visibility"],
    ] as const) {
      await makeSchema(postgres.port, database, join(schema, folder, "versioned"));
    }
    const directory = await mkdtemp(join(tmpdir(), "towpath-bench-temporal-"));
    const port = await configure(directory, postgres.port);
    const args = [
      "--root",
      directory,
      "--config",
      "config",
      "--env",
      "development",
      "--allow-no-auth",
      "start",
    ];
    const server = spawn(join(CACHE, "server"), args, { stdio: "ignore" });
    const temporal = new TemporalOnPostgres(`127.0.0.1:${port}`, directory, postgres, server);
    await temporal.makeNamespace();
    return temporal;
  }

  async remove(): Promise<void> {
    const ended = new Promise((resolve) => this.server.once("exit", resolve));
    this.server.kill("SIGKILL");
    await ended;
    await this.postgres.remove();
    await rm(this.directory, { recursive: true, force: true });
  }

  private async makeNamespace(): Promise<void> {
    const connection = await Connection.connect({ address: this.address, connectTimeout: "60 seconds" });
    await connection.close();
    const namespace = ["--address", this.address, "-n", "default", "--retention", "72h"];
    await execa("temporal", ["operator", "namespace", "create", ...namespace]);
  }
}

/** @returns the directory of the schemas */
async function compile(): Promise<string> {
  await mkdir(CACHE, { recursive: true });
  const env = { GOBIN: CACHE, CGO_ENABLED: "0" };
  for (const tool of ["server", "tools/sql"]) {
    await execa("go", ["install", `${SERVER}/cmd/${tool}@${VERSION}`], { env });
  }
  const { stdout } = await execa("go", ["env", "GOMODCACHE"]);
  return join(stdout.trim(), `${SERVER}@${VERSION}`, "schema", "postgresql", "v12");
}

async function makeSchema(port: number, database: string, versions: string): Promise<void> {
  const where = [
    "--plugin",
    "postgres12_pgx",
    "--ep",
    "127.0.0.1",
    "-p",
    String(port),
    "-u",
    ROLE,
    "--pw",
    ROLE,
  ];
  const sql = (...args: string[]) => execa(join(CACHE, "sql"), [...where, "--db", database, ...args]);
  await sql("create");
  await sql("setup-schema", "-v", "0.0");
  await sql("update-schema", "-d", versions);
}

async function rpc() {
  return { rpc: { grpcPort: await freePort(), membershipPort: await freePort(), bindOnLocalHost: true } };
}

/** @returns the port of the frontend */
async function configure(directory: string, postgresPort: number): Promise<number> {
  await mkdir(join(directory, "config"));
  const dynamic = join(directory, "dynamic.yaml");
  await writeFile(dynamic, stringify(DYNAMIC));
  const services = {
    frontend: await rpc(),
    matching: await rpc(),
    history: await rpc(),
    worker: await rpc(),
  };
  const { grpcPort } = services.frontend.rpc;
  const config = {
    log: { stdout: true, level: "error" },
    persistence: {
      defaultStore: "default",
      visibilityStore: "visibility",
      numHistoryShards: 4,
      datastores: {
        default: { sql: datastore("temporal", postgresPort, 20) },
        visibility: { sql: datastore("temporal_visibility", postgresPort, 5) },
      },
    },
    global: { membership: { maxJoinDuration: "30s", broadcastAddress: "127.0.0.1" } },
    services,
    clusterMetadata: {
      enableGlobalNamespace: false,
      failoverVersionIncrement: 10,
      masterClusterName: "active",
      currentClusterName: "active",
      clusterInformation: {
        active: {
          enabled: true,
          initialFailoverVersion: 1,
          rpcName: "frontend",
          rpcAddress: `127.0.0.1:${grpcPort}`,
        },
      },
    },
    dcRedirectionPolicy: { policy: "noop" },
    dynamicConfigClient: { filepath: dynamic, pollInterval: "10s" },
  };
  await writeFile(join(directory, "config", "development.yaml"), stringify(config));
  return grpcPort;
}

function datastore(databaseName: string, port: number, maxConns: number) {
  return {
    pluginName: "postgres12_pgx",
    databaseName,
    connectAddr: `127.0.0.1:${port}`,
    connectProtocol: "tcp",
    user: ROLE,
    password: ROLE,
    maxConns,
  };
}

const setting = (value: unknown) => [{ value }];
const DYNAMIC = {
  "history.transferProcessorMaxPollRPS": setting(2000),
  "history.timerProcessorMaxPollRPS": setting(2000),
  "history.visibilityProcessorMaxPollRPS": setting(2000),
  "history.timerProcessorMaxTimeShift": setting("10ms"),
  "matching.numTaskqueueReadPartitions": setting(1),
  "matching.numTaskqueueWritePartitions": setting(1),
  "system.enableActivityEagerExecution": setting(true),
};
