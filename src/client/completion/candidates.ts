import type { CommandDefinition, CommandOption } from "../command.js";

/** One way to finish the last word. */
export interface Candidate {
  readonly value: string;
  readonly description: string;
}

/** What may stand there: words that are known, or a name in the file system, which the shell knows best. */
export type Completion = readonly Candidate[] | "files" | "directories";

/** Where names come from that only the data directory knows. */
export interface Names {
  migrations(): Promise<readonly Candidate[]>;
  /** @param reference a migration as it was typed */
  steps(reference: string): Promise<readonly Candidate[]>;
}

const PHASE_NAMES = ["understand", "guardrail", "migrate", "verify"];
const SHELLS = ["bash", "zsh", "fish"];

/**
 * What may stand in place of the last of the words of a command line, which is unfinished (and may be empty).
 * @param words what stands behind `towpath`
 */
export async function candidates(
  words: readonly string[],
  definitions: readonly CommandDefinition[],
  names: Names,
): Promise<Completion> {
  const shown = definitions.filter((definition) => definition.hidden !== true);
  const typed = words.slice(0, -1);
  const last = words.at(-1) ?? "";
  const definition = commandOf(typed, shown);
  if (definition === null) return beginning(last, commandWords(typed, shown));
  const rest = typed.slice(definition.name.split(" ").length);
  const option = optionBefore(rest, definition);
  if (option !== null) return optionValues(option, last);
  if (last.startsWith("-")) return beginning(last, optionNames(definition));
  const given = positionals(rest, definition);
  const completion = await argumentValues(definition, given, names);
  return typeof completion === "string" ? completion : beginning(last, completion);
}

function beginning(start: string, known: readonly Candidate[]): readonly Candidate[] {
  return known.filter(({ value }) => value.startsWith(start));
}

/** The command that the words begin with; the longer name of two wins. */
function commandOf(
  typed: readonly string[],
  definitions: readonly CommandDefinition[],
): CommandDefinition | null {
  const matching = definitions.filter(({ name }) => {
    const words = name.split(" ");
    return words.every((word, index) => typed[index] === word);
  });
  return matching.sort((a, b) => b.name.length - a.name.length)[0] ?? null;
}

/** The words that may follow in the name of a command: a group's name stands for all its commands. */
function commandWords(typed: readonly string[], definitions: readonly CommandDefinition[]): Candidate[] {
  const found = new Map<string, Candidate>();
  for (const { name, description } of definitions) {
    const words = name.split(" ");
    const value = words[typed.length];
    if (value === undefined || !typed.every((word, index) => words[index] === word)) continue;
    const isGroup = words.length > typed.length + 1;
    if (!found.has(value))
      found.set(value, { value, description: isGroup ? `${value} commands` : description });
  }
  return [...found.values()];
}

const JSON_OPTION: CommandOption = { flags: "--json", description: "print JSON, errors included" };

function optionsOf(definition: CommandDefinition): readonly CommandOption[] {
  return [...(definition.options ?? []), JSON_OPTION];
}

/** `-y, --yes` → `-y` and `--yes`; what stands behind is the value's name. */
function flagsOf(option: CommandOption): readonly string[] {
  return option.flags.split(/[ ,]+/).filter((word) => word.startsWith("-"));
}

function takesValue(option: CommandOption): boolean {
  return /[<[]/.test(option.flags);
}

function optionNames(definition: CommandDefinition): Candidate[] {
  return optionsOf(definition).map((option) => ({
    value: flagsOf(option).at(-1) ?? "",
    description: option.description,
  }));
}

/** The option whose value comes next, or null. */
function optionBefore(rest: readonly string[], definition: CommandDefinition): CommandOption | null {
  const before = rest.at(-1) ?? "";
  const option = optionsOf(definition).find((candidate) => flagsOf(candidate).includes(before));
  return option !== undefined && takesValue(option) ? option : null;
}

function optionValues(option: CommandOption, last: string): Completion {
  if (option.choices !== undefined) {
    return beginning(
      last,
      option.choices.map((value) => ({ value, description: "" })),
    );
  }
  return /<(file|path)>/.test(option.flags) ? "files" : [];
}

/** The arguments that are there already, without the options and their values. */
function positionals(rest: readonly string[], definition: CommandDefinition): readonly string[] {
  return rest.filter((word, index) => {
    if (word.startsWith("-")) return false;
    return optionBefore(rest.slice(0, index), definition) === null;
  });
}

async function argumentValues(
  definition: CommandDefinition,
  given: readonly string[],
  names: Names,
): Promise<Completion> {
  const [name = ""] = definition.arguments?.[given.length] ?? [];
  const plain = name.replaceAll(/[<>[\].]/g, "");
  if (plain === "migration") return names.migrations();
  if (plain === "step") return names.steps(given[0] ?? "");
  if (plain === "phase") return PHASE_NAMES.map((value) => ({ value, description: "phase" }));
  if (plain === "shell") return SHELLS.map((value) => ({ value, description: "" }));
  if (plain === "path") return "directories";
  return plain === "file" ? "files" : [];
}
