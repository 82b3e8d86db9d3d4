import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Client, Connection } from "@temporalio/client";
import { execa, type Result } from "execa";
import { z } from "zod";

const BIN = fileURLToPath(new URL("../../bin/towpath.js", import.meta.url));

const Started = z.object({ id: z.string() });
const State = z.object({ pid: z.int() });
const ServerState = State.extend({ address: z.string() });

/** A data directory of its own with the built CLI to run in it. */
export class Home {
  #client: Client | null = null;

  private constructor(
    readonly directory: string,
    private readonly env: Readonly<Record<string, string>>,
  ) {}

  /** @param env what Towpath is given besides; `TEMPORAL_ADDRESS` for a server that is not the embedded one */
  static async make(env: Readonly<Record<string, string>> = {}): Promise<Home> {
    return new Home(await mkdtemp(join(tmpdir(), "towpath-bench-")), env);
  }

  get dataDir(): string {
    return join(this.directory, "data");
  }

  run(...args: string[]): Promise<Result> {
    return execa(process.execPath, [BIN, ...args], {
      env: { TOWPATH_DATA_DIR: this.dataDir, NO_COLOR: "1", ...this.env },
    });
  }

  /** Runs a command as a whole process, several times; answers the times in ms. */
  async time(repeat: number, ...args: string[]): Promise<number[]> {
    const times: number[] = [];
    for (let i = 0; i < repeat; i++) {
      const begun = performance.now();
      await this.run(...args);
      times.push(performance.now() - begun);
    }
    return times;
  }

  /** Starts a migration of a project and answers its id. */
  async start(project: string, ...args: string[]): Promise<string> {
    const { stdout } = await this.run("start", project, "--allow-host", "--json", ...args);
    return Started.parse(JSON.parse(String(stdout))).id;
  }

  /** Starts a migration and waits for its end without asking it anything meanwhile. */
  async complete(project: string): Promise<string> {
    const id = await this.start(project);
    await this.finished(id);
    return id;
  }

  async finished(id: string): Promise<void> {
    const client = await this.client();
    await client.workflow.getHandle(id).result();
  }

  /** A client of the server that this home uses, open until `remove`. */
  async client(): Promise<Client> {
    const address = this.env["TEMPORAL_ADDRESS"] ?? (await this.state("server", ServerState)).address;
    this.#client ??= new Client({ connection: await Connection.connect({ address }) });
    return this.#client;
  }

  async pid(role: "worker" | "server"): Promise<number> {
    return (await this.state(role, State)).pid;
  }

  /** Resident memory of the background worker or server, in MB. */
  async residentMegabytes(role: "worker" | "server"): Promise<number> {
    const { stdout } = await execa("ps", ["-o", "rss=", "-p", String(await this.pid(role))]);
    return Number(stdout.trim()) / 1024;
  }

  async remove(): Promise<void> {
    await this.#client?.connection.close();
    await this.run("down");
    await rm(this.directory, { recursive: true, force: true, maxRetries: 5 });
  }

  private async state<T>(role: "worker" | "server", schema: z.ZodType<T>): Promise<T> {
    return schema.parse(JSON.parse(await readFile(join(this.dataDir, role, "state.json"), "utf8")));
  }
}
