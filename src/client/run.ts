import { CommanderError, type Command } from "commander";
import picocolors from "picocolors";
import { TowpathError } from "../model/errors.js";
import type { CommandContext, CommandDefinition, CommandInput } from "./command.js";
import { inCommandSpan } from "./command-span.js";
import { errorView, exitCodeOf } from "./errors.js";
import { renderJson, renderJsonError, renderResult, renderTextError, type Output } from "./output.js";
import { printable } from "./printable.js";
import type { PagedText } from "./paging.js";
import { buildProgram } from "./program.js";
import type { Terminal } from "./terminal.js";

/** What a run of the CLI takes from its surroundings. */
export interface RunOptions {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly columns: number;
  readonly interactive: boolean;
  /** Stdout, where it is a terminal. */
  readonly terminal?: Terminal | null;
  readonly output: Output;
  readonly commands: readonly CommandDefinition[];
  readonly version: string;
}

/**
 * Runs one command line and prints its answer: the one place where errors become text and exit codes.
 * @returns the exit code
 */
export async function runCli(options: RunOptions): Promise<number> {
  const json = wantsJson(options.argv);
  // Behind lines that were emitted the answer, or the error, is one line as well.
  const lines: EmittedLines = { any: false };
  try {
    return await parseAndRun(options, json, lines);
  } catch (error) {
    const view = errorView(error);
    const colors = picocolors.createColors(picocolors.isColorSupported);
    if (json) await options.output.stdout(renderJsonError(view, lines.any));
    else await options.output.stderr(renderTextError(view, colors.red));
    if (options.env.TOWPATH_LOG_LEVEL === "debug" && error instanceof Error)
      await options.output.stderr(`${error.stack ?? ""}\n`);
    return exitCodeOf(error);
  }
}

interface EmittedLines {
  any: boolean;
}

async function parseAndRun(options: RunOptions, json: boolean, lines: EmittedLines): Promise<number> {
  let exitCode = 0;
  let parserText = "";
  const program = buildProgram(options.commands, options.version, async (definition, input) => {
    exitCode = await runCommand(definition, input, options, json, lines);
  });
  takeOverExit(program, (text) => {
    parserText += text;
  });
  try {
    await program.parseAsync([...options.argv], { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode !== 0) throw usageError(error, parserText, namedCommand(program, options.argv));
    await options.output.stdout(parserText);
  }
  return exitCode;
}

async function runCommand(
  definition: CommandDefinition,
  input: CommandInput,
  options: RunOptions,
  json: boolean,
  lines: EmittedLines,
): Promise<number> {
  const body = await definition.load();
  const paged = await pagedText(definition, input, options, json);
  const stdout = (text: string): Promise<void> =>
    paged === null ? options.output.stdout(text) : paged.write(text);
  try {
    const context = contextOf(options, json, lines, stdout);
    const result = await inCommandSpan(definition, context, () => body(input, context));
    await stdout(renderResult(result, json, lines.any));
    return result.exitCode ?? 0;
  } finally {
    await paged?.end();
  }
}

/** Null where nobody pages: the answer is short, or for a program. */
async function pagedText(
  definition: CommandDefinition,
  input: CommandInput,
  { terminal, env, interactive }: RunOptions,
  json: boolean,
): Promise<PagedText | null> {
  const wanted = interactive && !json && (definition.paged?.(input) ?? false);
  if (!wanted || terminal === undefined || terminal === null) return null;
  const { PagedText } = await import("./paging.js");
  return new PagedText(terminal, env);
}

function contextOf(
  options: RunOptions,
  json: boolean,
  lines: EmittedLines,
  stdout: Output["stdout"],
): CommandContext {
  const { env, cwd, columns, interactive, output, terminal = null } = options;
  return {
    env,
    cwd,
    json,
    columns,
    terminal,
    interactive,
    progress: (message) => {
      void output.stderr(`${printable(message)}\n`);
    },
    emit: (line) => {
      lines.any = true;
      return stdout(json ? `${renderJson(line.data, true)}\n` : `${line.text}\n`);
    },
  };
}

/** commander would print and end the process itself; here it throws, and what it wanted to say is kept. */
function takeOverExit(command: Command, keep: (text: string) => void): void {
  command.exitOverride();
  command.configureOutput({ writeOut: keep, writeErr: keep });
  for (const child of command.commands) takeOverExit(child, keep);
}

/** The command that the first words name: where they name none, the program itself. */
function namedCommand(program: Command, argv: readonly string[]): Command {
  const [word, ...rest] = argv;
  const child = program.commands.find((command) => command.name() === word);
  return child === undefined ? program : namedCommand(child, rest);
}

function fullName(command: Command): string {
  return command.parent === null ? command.name() : `${fullName(command.parent)} ${command.name()}`;
}

function usageError(error: CommanderError, parserText: string, command: Command): TowpathError {
  // Without a command commander shows the whole help instead of a message.
  if (error.code === "commander.help")
    return new TowpathError("Usage", `No command given.\n\n${parserText.trim()}`);
  const message = error.message.replace(/^error: /, "");
  const name = fullName(command);
  const usage = command.parent === null ? "" : `Usage: ${name} ${command.usage()}\n`;
  return new TowpathError("Usage", `${message}\n${usage}See \`${name} --help\`.`);
}

/** Known before parsing, because the parser's own errors are JSON too. What stands behind `--` is data. */
function wantsJson(argv: readonly string[]): boolean {
  const end = argv.indexOf("--");
  return (end === -1 ? argv : argv.slice(0, end)).includes("--json");
}
