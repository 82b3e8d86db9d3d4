import { TowpathError } from "../model/errors.js";
import type { CommandContext, CommandResult } from "./command.js";
import { EXIT_CODES } from "./errors.js";
import { confirm } from "./prompt.js";

/** A person can be asked: with `--json` a program reads, whatever the terminal. */
function canAsk(context: CommandContext): boolean {
  return context.interactive && !context.json;
}

/**
 * Refuses, before anything is contacted, what nobody can be asked about.
 * @param what the command in words: `stop the migration`
 * @throws TowpathError `Usage`
 */
export function requireYesOrTerminal(yes: boolean, what: string, context: CommandContext): void {
  if (yes || canAsk(context)) return;
  throw new TowpathError(
    "Usage",
    `Nobody can be asked whether to ${what}: give --yes to do it without asking.`,
  );
}

/**
 * Asks a person about something that cannot be taken back.
 * @param consequences what exactly will happen, complete sentences
 * @returns true where it was agreed to, by `--yes` or by answer
 */
export async function agreed(yes: boolean, consequences: string): Promise<boolean> {
  return yes || confirm(`${consequences}\nGo on?`);
}

/** The answer of a command that a person called off. */
export function calledOff(id: string): CommandResult {
  return { text: "Nothing was changed.", data: { id, done: false }, exitCode: EXIT_CODES.refused };
}
