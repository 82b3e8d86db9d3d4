import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { openSync, closeSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Connection } from "@temporalio/client";
import { msToTs } from "@temporalio/common/lib/time.js";
import { execa } from "execa";
import { connectionOptions, type TemporalEndpoint } from "../../../src/adapters/temporal/endpoint.js";
import { httpGet } from "../../../src/adapters/temporal/http-get.js";
import { messageOf } from "../../../src/model/errors.js";
import { type ClusterBinaries, clusterBinaries } from "./binaries.js";
import { lastingPort } from "./ports.js";
import { Postgres } from "./postgres.js";
import {
  choosePorts,
  DATABASE_ROLE,
  type ServerPorts,
  type ServerSecurity,
  writeServerConfig,
} from "./server-config.js";

/** Far above the seconds that it takes: machines are slow. */
const START_LIMIT_MS = 120_000;
const POLL_MS = 100;
/** As `grpc.health.v1` numbers it. */
const SERVING = 1;

export interface ClusterOptions {
  /** Fixed with the first start; 4 unless told otherwise. */
  readonly historyShards?: number;
  readonly security?: ServerSecurity;
  /** What the rig itself shows the server, where that asks. */
  readonly access?: Access;
  readonly onProgress?: (message: string) => void;
}

export type Access = Pick<TemporalEndpoint, "tls" | "apiKey">;

/** Temporal's distributed engine on a PostgreSQL of its own, with the settings of the embedded server. */
export class Cluster {
  #server: ChildProcess | null = null;
  #ui: ChildProcess | null = null;
  #access: Access = {};

  private constructor(
    private readonly directory: string,
    private readonly binaries: ClusterBinaries,
    readonly postgres: Postgres,
    private readonly ports: ServerPorts,
    private readonly historyShards: number,
  ) {}

  /** @throws Error where there is no PostgreSQL, or no server and no Go to build it with */
  static async start(options: ClusterOptions = {}): Promise<Cluster> {
    const binaries = await clusterBinaries(options.onProgress ?? (() => undefined));
    const postgres = await Postgres.start();
    if (postgres === null) throw new Error("no PostgreSQL server is installed below /usr/lib/postgresql");
    const directory = await mkdtemp(join(tmpdir(), "towpath-cluster-"));
    const shards = options.historyShards ?? 4;
    const cluster = new Cluster(directory, binaries, postgres, await choosePorts(), shards);
    try {
      await postgres.createRole(DATABASE_ROLE);
      await cluster.makeSchema("temporal", "temporal");
      await cluster.makeSchema("temporal_visibility", "visibility");
      await cluster.startServer(options.security, options.access);
      await cluster.makeDefaultNamespace();
    } catch (error) {
      await cluster.remove();
      throw error;
    }
    return cluster;
  }

  get address(): string {
    return `localhost:${this.ports.frontend}`;
  }

  /** Starts the server on the same ports and the same database, and waits until it serves. */
  async startServer(security: ServerSecurity = {}, access: Access = this.#access): Promise<void> {
    this.#access = access;
    const { directory, ports, historyShards } = this;
    const postgresPort = this.postgres.port;
    await writeServerConfig({ directory, ports, postgresPort, historyShards, ...security });
    const services = ["frontend", "internal-frontend", "history", "matching", "worker"];
    const which = services.flatMap((service) => ["--service", service]);
    const where = ["--root", directory, "--config", "config", "--env", "development"];
    this.#server = this.spawn("server", this.binaries.server, [
      ...where,
      "--allow-no-auth",
      "start",
      ...which,
    ]);
    await this.untilServing(this.#server);
  }

  /** Ends the server in order, as a restart for an upgrade does. */
  async stopServer(): Promise<void> {
    this.#server = await end(this.#server, "SIGTERM");
  }

  async killServer(): Promise<void> {
    this.#server = await end(this.#server, "SIGKILL");
  }

  /** PostgreSQL ends as in a crash, and comes back. */
  async restartPostgres(): Promise<void> {
    await this.postgres.crash();
    await this.postgres.resume();
  }

  /** Starts the Web UI over this cluster. @returns where it is */
  async startUi(): Promise<string> {
    const port = await lastingPort();
    const config = { host: "127.0.0.1", port, temporalGrpcAddress: this.address, enableUi: true };
    const origins = { cors: { cookieInsecure: true, allowOrigins: [`http://127.0.0.1:${port}`] } };
    const folder = join(this.directory, "ui");
    await mkdir(folder);
    await writeFile(join(folder, "development.yaml"), JSON.stringify({ ...config, ...origins }));
    this.#ui = this.spawn("ui", this.binaries.ui, ["--root", this.directory, "--config", "ui", "start"]);
    const address = `http://127.0.0.1:${port}`;
    await until("the Web UI", async () => {
      const { status } = await httpGet(address, START_LIMIT_MS);
      if (status !== 200) throw new Error(`HTTP ${status}`);
    });
    return address;
  }

  /** What the server has said. */
  serverLog(): Promise<string> {
    return readFile(join(this.directory, "server.log"), "utf8");
  }

  /** Ends all of it, and removes its data. */
  async remove(): Promise<void> {
    this.#ui = await end(this.#ui, "SIGKILL");
    await this.killServer();
    await this.postgres.remove();
    await rm(this.directory, { recursive: true, force: true });
  }

  private async makeSchema(database: string, folder: string): Promise<void> {
    const at = ["--plugin", "postgres12_pgx", "--ep", "127.0.0.1", "-p", String(this.postgres.port)];
    const as = ["-u", DATABASE_ROLE, "--pw", DATABASE_ROLE, "--db", database];
    const versions = join(this.binaries.schema, folder, "versioned");
    for (const command of [["create"], ["setup-schema", "-v", "0.0"], ["update-schema", "-d", versions]]) {
      await execa(this.binaries.sql, [...at, ...as, ...command]);
    }
  }

  private async makeDefaultNamespace(): Promise<void> {
    const namespace = "default";
    const workflowExecutionRetentionPeriod = msToTs("72 hours");
    await this.withConnection(async ({ workflowService }) => {
      await workflowService.registerNamespace({ namespace, workflowExecutionRetentionPeriod });
      await until("its namespace", async () => {
        await workflowService.describeNamespace({ namespace });
        await workflowService.countWorkflowExecutions({ namespace });
      });
    });
  }

  private spawn(name: string, program: string, args: readonly string[]): ChildProcess {
    const log = openSync(join(this.directory, `${name}.log`), "a");
    const child = spawn(program, args, { stdio: ["ignore", log, log] });
    closeSync(log);
    return child;
  }

  private async untilServing(server: ChildProcess): Promise<void> {
    const service = "temporal.api.workflowservice.v1.WorkflowService";
    await until("the Temporal server", async () => {
      if (server.exitCode !== null) throw new Fatal(`it ended:\n${(await this.serverLog()).slice(-2_000)}`);
      await this.withConnection(async ({ healthService }) => {
        const answer = await healthService.check({ service });
        const status: number = answer.status;
        if (status !== SERVING) throw new Error(`its health is ${status}`);
      });
    });
  }

  private async withConnection<T>(body: (connection: Connection) => Promise<T>): Promise<T> {
    const endpoint = { address: this.address, namespace: "default", ...this.#access };
    const connection = await Connection.connect(connectionOptions(endpoint));
    try {
      return await body(connection);
    } finally {
      await connection.close();
    }
  }
}

class Fatal extends Error {}

async function until(what: string, attempt: () => Promise<void>): Promise<void> {
  const deadline = performance.now() + START_LIMIT_MS;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (error instanceof Fatal || performance.now() > deadline)
        throw new Error(`${what} does not come up: ${messageOf(error)}`, { cause: error });
      await delay(POLL_MS);
    }
  }
}

async function end(child: ChildProcess | null, signal: NodeJS.Signals): Promise<null> {
  if (child === null || child.exitCode !== null || child.signalCode !== null) return null;
  const gone = once(child, "exit");
  child.kill(signal);
  await gone;
  return null;
}
