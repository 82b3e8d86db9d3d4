import type { CommandOption } from "./command.js";

/** Of every command that takes something away for good. */
export const YES: CommandOption = { flags: "-y, --yes", description: "do it without asking" };
