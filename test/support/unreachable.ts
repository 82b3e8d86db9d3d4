import { COMMANDS } from "../../src/client/commands.js";
import { runCli } from "../../src/client/run.js";
import type { CliAnswer } from "./cli.js";

export interface UnreachableMachine {
  readonly dataDir: string;
  readonly cwd: string;
  readonly columns: number;
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** Runs one command line, in this process, on a machine where no Temporal can be reached. */
export async function runUnreachable(
  { dataDir, cwd, columns, env = {} }: UnreachableMachine,
  argv: readonly string[],
): Promise<CliAnswer> {
  const written = { stdout: "", stderr: "" };
  const code = await runCli({
    argv,
    env: { TOWPATH_DATA_DIR: dataDir, TEMPORAL_ADDRESS: "127.0.0.1:1", ...env },
    cwd,
    columns,
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
