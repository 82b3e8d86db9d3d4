import { mkdtemp, readdir, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";

const VERSIONS = "/usr/lib/postgresql";

/** A PostgreSQL server of its own, as the machine has it installed. */
export class Postgres {
  private constructor(
    private readonly bin: string,
    private readonly directory: string,
    readonly port: number,
  ) {}

  /** Null where none is installed. */
  static async start(): Promise<Postgres | null> {
    const versions = await readdir(VERSIONS).catch((): string[] => []);
    const [newest] = versions.sort((a, b) => Number(b) - Number(a));
    if (newest === undefined) return null;
    const directory = await mkdtemp(join(tmpdir(), "towpath-bench-pg-"));
    const server = new Postgres(join(VERSIONS, newest, "bin"), directory, await freePort());
    await server.init();
    return server;
  }

  /** @param role also its own password */
  async createRole(role: string): Promise<void> {
    await this.sql(`create role ${role} login createdb password '${role}'`);
  }

  async createDatabase(name: string, owner: string): Promise<void> {
    await this.sql(`create database ${name} owner ${owner}`);
  }

  async remove(): Promise<void> {
    await this.asOwner("pg_ctl", "-D", join(this.directory, "data"), "-m", "immediate", "-w", "stop");
    await rm(this.directory, { recursive: true, force: true });
  }

  private async init(): Promise<void> {
    if (process.getuid?.() === 0) await execa("chown", ["postgres", this.directory]);
    const data = join(this.directory, "data");
    await this.asOwner("initdb", "-D", data, "-U", "postgres", "--auth=trust", "-E", "UTF8", "--locale=C");
    const settings = [
      `-p ${this.port}`,
      `-c listen_addresses=127.0.0.1`,
      `-c max_connections=120`,
      `-k ${this.directory}`,
    ];
    const log = join(this.directory, "log");
    await this.asOwner("pg_ctl", "-D", data, "-l", log, "-w", "-o", settings.join(" "), "start");
  }

  private async sql(statement: string): Promise<void> {
    const where = ["-h", "127.0.0.1", "-p", String(this.port), "-U", "postgres"];
    await execa(join(this.bin, "psql"), [...where, "-q", "-c", statement]);
  }

  /** PostgreSQL refuses to run as root. */
  private async asOwner(program: string, ...args: string[]): Promise<void> {
    const command = [join(this.bin, program), ...args] as const;
    const [file, ...rest] =
      process.getuid?.() === 0 ? ["runuser", "-u", "postgres", "--", ...command] : command;
    await execa(file ?? "", rest, { cwd: this.directory, stdio: "ignore" });
  }
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}
