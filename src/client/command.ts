import type { Json } from "../model/json.js";
import type { Terminal } from "./terminal.js";

/** What a command is given besides its arguments. */
export interface CommandContext {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly json: boolean;
  /** Columns of the terminal; `Infinity` where stdout is none, for nothing is cut for programs. */
  readonly columns: number;
  /** Where a person looks on; null where stdout is no terminal. */
  readonly terminal: Terminal | null;
  /** True when a person sits at both ends: stdin and stdout are terminals. */
  readonly interactive: boolean;
  /** Tells a waiting person what is going on: one line on stderr. */
  readonly progress: (message: string) => void;
  /**
   * Writes one line to stdout at once, for commands that follow something; with `--json` one JSON value a line.
   * Resolves when the line was taken, so that a slow reader slows the command down.
   */
  readonly emit: (line: { readonly text: string; readonly data: Json }) => Promise<void>;
}

/** Arguments and options as commander read them; each command parses them with its own schema. */
export interface CommandInput {
  /** The command's name, for what is said about its input. */
  readonly command: string;
  readonly arguments: readonly unknown[];
  readonly options: Readonly<Record<string, unknown>>;
}

/** A command's answer. `text` is for people (an empty one prints nothing), `data` is for scripts. */
export interface CommandResult {
  readonly text: string;
  readonly data: Json;
  /** Only for answers that are no error and yet not a success; 0 by default. */
  readonly exitCode?: number;
}

/** A command's body: it returns data or throws, and never prints or exits itself. */
export type CommandBody = (input: CommandInput, context: CommandContext) => Promise<CommandResult>;

export interface CommandOption {
  /** As commander writes them: `--spec <file>`, `-y, --yes`. */
  readonly flags: string;
  readonly description: string;
  readonly choices?: readonly string[];
  /** The option may be given several times and is then a list. */
  readonly repeatable?: boolean;
}

/** One row of the command table. */
export interface CommandDefinition {
  /** A space makes a group: `image refresh`. */
  readonly name: string;
  readonly description: string;
  /** As commander writes them: `<migration>`, `[file]`, `[paths...]`; with a text for the help. */
  readonly arguments?: readonly (readonly [name: string, description: string])[];
  readonly options?: readonly CommandOption[];
  /** True for answers that may be longer than a screen: in a terminal they are then shown in a pager. */
  readonly paged?: (input: CommandInput) => boolean;
  /** Left out of the help: it is for programs. */
  readonly hidden?: boolean;
  /** False for processes that stay: they trace what they do themselves. */
  readonly traced?: boolean;
  /** Further text below the command's help. */
  readonly help?: string;
  /** Everything heavy is imported here, so that `--help` stays quick. */
  readonly load: () => Promise<CommandBody>;
}
