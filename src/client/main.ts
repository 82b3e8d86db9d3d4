import { isatty } from "node:tty";
import { COMMANDS } from "./commands.js";
import { processOutput } from "./output.js";
import { runCli } from "./run.js";
import { processTerminal } from "./terminal.js";
import { packageVersion } from "../adapters/installation/version.js";

const output = processOutput();
process.exitCode = await runCli({
  argv: process.argv.slice(2),
  env: process.env,
  cwd: process.cwd(),
  columns: process.stdout.columns ?? Number.POSITIVE_INFINITY,
  interactive: isatty(0) && isatty(1),
  terminal: processTerminal(process.env, (text) => output.stdout(text)),
  output,
  commands: COMMANDS,
  version: packageVersion(),
});
