import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa, type Result } from "execa";
import { z } from "zod";

const BIN = fileURLToPath(new URL("../../bin/towpath.js", import.meta.url));

const Started = z.object({ id: z.string() });
const State = z.object({ pid: z.int() });

/** A data directory of its own with the built CLI to run in it. */
export class Home {
  private constructor(readonly directory: string) {}

  static async make(): Promise<Home> {
    return new Home(await mkdtemp(join(tmpdir(), "towpath-bench-")));
  }

  get dataDir(): string {
    return join(this.directory, "data");
  }

  run(...args: string[]): Promise<Result> {
    return execa(process.execPath, [BIN, ...args], {
      env: { TOWPATH_DATA_DIR: this.dataDir, NO_COLOR: "1" },
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

  /** Resident memory of the background worker or server, in MB. */
  async residentMegabytes(role: "worker" | "server"): Promise<number> {
    const { pid } = State.parse(JSON.parse(await readFile(join(this.dataDir, role, "state.json"), "utf8")));
    const { stdout } = await execa("ps", ["-o", "rss=", "-p", String(pid)]);
    return Number(stdout.trim()) / 1024;
  }

  async remove(): Promise<void> {
    await this.run("down");
    await rm(this.directory, { recursive: true, force: true, maxRetries: 5 });
  }
}
