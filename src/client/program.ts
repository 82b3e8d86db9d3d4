import { Command, Option } from "commander";
import type { CommandDefinition, CommandInput } from "./command.js";

/** Called with the command that the arguments name; its promise is the run. */
export type Dispatch = (definition: CommandDefinition, input: CommandInput) => Promise<void>;

const EPILOGUE = `
Every command takes --json. Exit codes: 0 done, 1 unexpected, 2 usage or invalid spec, 3 not found,
4 refused, 5 the migration failed or was rejected, 6 Temporal or the container engine unreachable.`;

/** Builds the commander program from the command table. */
export function buildProgram(
  definitions: readonly CommandDefinition[],
  version: string,
  dispatch: Dispatch,
): Command {
  const program = new Command("towpath")
    .description("Runs code migrations as durable Temporal workflows.")
    .version(version, "-V, --version", "print the version")
    .helpOption("-h, --help", "show help")
    .addHelpText("after", EPILOGUE);
  const groups = new Map<string, Command>();
  for (const definition of definitions) addCommand(program, groups, definition, dispatch);
  return program;
}

function addCommand(
  program: Command,
  groups: Map<string, Command>,
  definition: CommandDefinition,
  dispatch: Dispatch,
): void {
  const words = definition.name.split(" ");
  const name = words.pop() ?? definition.name;
  const command = groupOf(program, groups, words)
    .command(name, { hidden: definition.hidden ?? false })
    .description(definition.description);
  for (const [argument, description] of definition.arguments ?? []) command.argument(argument, description);
  for (const option of definition.options ?? []) command.addOption(toOption(option));
  command.option("--json", "print JSON, errors included");
  if (definition.help !== undefined) command.addHelpText("after", `\n${definition.help}`);
  command.action(async () => {
    await dispatch(definition, {
      command: definition.name,
      arguments: command.processedArgs,
      options: command.opts(),
    });
  });
}

function groupOf(program: Command, groups: Map<string, Command>, words: readonly string[]): Command {
  let parent = program;
  let path = "";
  for (const word of words) {
    path = `${path} ${word}`;
    const known = groups.get(path);
    const group = known ?? parent.command(word).description(`${word} commands`);
    groups.set(path, group);
    parent = group;
  }
  return parent;
}

function toOption(definition: {
  flags: string;
  description: string;
  choices?: readonly string[];
  repeatable?: boolean;
}): Option {
  const option = new Option(definition.flags, definition.description);
  if (definition.choices !== undefined) option.choices(definition.choices);
  if (definition.repeatable === true)
    option.argParser((value: string, earlier: readonly string[] | undefined) => [...(earlier ?? []), value]);
  return option;
}
