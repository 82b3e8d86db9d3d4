import { existsSync, readdirSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { lastingPort } from "./ports.js";

const VERSIONS = "/usr/lib/postgresql";

/** Where the newest PostgreSQL server of this machine has its programs; null where none is installed. */
export function postgresPrograms(): string | null {
  if (!existsSync(VERSIONS)) return null;
  const newest = readdirSync(VERSIONS).sort((a, b) => Number(b) - Number(a));
  return newest.map((version) => join(VERSIONS, version, "bin")).find(hasServer) ?? null;
}

function hasServer(bin: string): boolean {
  return existsSync(join(bin, "initdb")) && existsSync(join(bin, "pg_ctl"));
}

/** A PostgreSQL server of its own, as the machine has it installed. */
export class Postgres {
  private constructor(
    private readonly bin: string,
    private readonly directory: string,
    readonly port: number,
  ) {}

  /** Null where none is installed. */
  static async start(): Promise<Postgres | null> {
    const bin = postgresPrograms();
    if (bin === null) return null;
    const directory = await mkdtemp(join(tmpdir(), "towpath-pg-"));
    const server = new Postgres(bin, directory, await lastingPort());
    await server.init();
    await server.resume();
    return server;
  }

  /** @param role also its own password */
  async createRole(role: string): Promise<void> {
    await this.sql(`create role ${role} login createdb password '${role}'`);
  }

  async createDatabase(name: string, owner: string): Promise<void> {
    await this.sql(`create database ${name} owner ${owner}`);
  }

  /** @returns what a query answers: one line a row, columns between bars */
  async query(database: string, statement: string): Promise<string> {
    const where = ["-h", "127.0.0.1", "-p", String(this.port), "-U", "postgres", "-d", database];
    const { stdout } = await execa(join(this.bin, "psql"), [...where, "-q", "-A", "-t", "-c", statement]);
    return stdout;
  }

  /** Ends the server at once, as a crash would: connections break, and the next start recovers from the log. */
  async crash(): Promise<void> {
    await this.control("-m", "immediate", "-w", "stop");
  }

  /** Starts it again on the same port with the same data. */
  async resume(): Promise<void> {
    const settings = [
      `-p ${this.port}`,
      `-c listen_addresses=127.0.0.1`,
      `-c max_connections=120`,
      `-k ${this.directory}`,
    ];
    await this.control("-l", join(this.directory, "log"), "-w", "-o", settings.join(" "), "start");
  }

  async remove(): Promise<void> {
    if (existsSync(join(this.directory, "data", "postmaster.pid"))) await this.crash();
    await rm(this.directory, { recursive: true, force: true });
  }

  private async init(): Promise<void> {
    if (process.getuid?.() === 0) await execa("chown", ["postgres", this.directory]);
    const as = ["-U", "postgres", "--auth=trust", "-E", "UTF8", "--locale=C"];
    await this.asOwner("initdb", "-D", join(this.directory, "data"), ...as);
  }

  private async control(...args: string[]): Promise<void> {
    await this.asOwner("pg_ctl", "-D", join(this.directory, "data"), ...args);
  }

  private async sql(statement: string): Promise<void> {
    await this.query("postgres", statement);
  }

  /** PostgreSQL refuses to run as root. */
  private async asOwner(program: string, ...args: string[]): Promise<void> {
    const command = [join(this.bin, program), ...args] as const;
    const [file, ...rest] =
      process.getuid?.() === 0 ? ["runuser", "-u", "postgres", "--", ...command] : command;
    await execa(file ?? "", rest, { cwd: this.directory, stdio: "ignore" });
  }
}
