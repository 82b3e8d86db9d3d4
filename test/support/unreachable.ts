import { join } from "node:path";
import { COMMANDS } from "../../src/client/commands.js";
import { runCli } from "../../src/client/run.js";
import type { CliAnswer } from "./cli.js";

/** Runs one command line below `directory`, in this process, on a machine where no Temporal can be reached. */
export async function runUnreachable(
  directory: string,
  cwd: string,
  argv: readonly string[],
): Promise<CliAnswer> {
  const written = { stdout: "", stderr: "" };
  const code = await runCli({
    argv,
    env: {
      TOWPATH_DATA_DIR: join(directory, "data"),
      TEMPORAL_ADDRESS: "127.0.0.1:1",
      PATH: process.env.PATH,
    },
    cwd: join(directory, cwd),
    columns: 80,
    interactive: false,
    output: {
      stdout: async (text) => void (written.stdout += text),
      stderr: async (text) => void (written.stderr += text),
    },
    commands: COMMANDS,
    version: "0.0.0",
  });
  return { code, ...written };
}
