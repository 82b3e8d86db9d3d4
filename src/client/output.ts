import type { Json } from "../model/json.js";
import type { CommandResult } from "./command.js";
import type { ErrorView } from "./errors.js";
import { hintFor } from "./hints.js";
import { printableBlock } from "./printable.js";

/** The streams that a run of the CLI writes to. */
export interface Output {
  /** Resolves when the stream has taken the text. A reader that went away is no error. */
  stdout(text: string): Promise<void>;
  stderr(text: string): Promise<void>;
}

/** Output on this process's own streams. */
export function processOutput(): Output {
  return { stdout: writer(process.stdout), stderr: writer(process.stderr) };
}

function writer(stream: NodeJS.WriteStream): (text: string) => Promise<void> {
  // `towpath list | head -1` closes the pipe: the rest has no reader, which is what was asked for.
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
  });
  return (text) =>
    new Promise((resolve) => {
      stream.write(text, () => resolve());
    });
}

/**
 * What a command's answer looks like on stdout.
 * @param oneLine with `json`: as one line, behind others of a stream
 */
export function renderResult(result: CommandResult, json: boolean, oneLine = false): string {
  if (json) return `${renderJson(result.data, oneLine)}\n`;
  return result.text === "" || result.text.endsWith("\n") ? result.text : `${result.text}\n`;
}

/** One JSON value, for people's eyes too unless it is to be one line of a stream. */
export function renderJson(data: Json, oneLine = false): string {
  return oneLine ? JSON.stringify(data) : JSON.stringify(data, null, 2);
}

/** What an error looks like on stdout with `--json`: scripts read one stream, and the exit code says which kind it is. */
export function renderJsonError(view: ErrorView, oneLine = false): string {
  return `${JSON.stringify({ error: view }, null, oneLine ? undefined : 2)}\n`;
}

/** What an error looks like on stderr: the cause first, then what to do. */
export function renderTextError(view: ErrorView, red: (text: string) => string): string {
  const hint = hintFor(view);
  return `${red("error:")} ${printableBlock(view.message)}\n${hint === null ? "" : `${hint}\n`}`;
}
