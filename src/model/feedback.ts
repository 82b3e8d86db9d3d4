import type { CommandOutcome } from "./command.js";
import { createPlainTextStream, settleLines } from "./plain-text.js";
import type { Redactor } from "./redaction.js";

/** A test runner's cause stands at the head of its output, its summary at the tail. */
export const HEAD_LENGTH = 4000;
export const TAIL_LENGTH = 2000;

const MAX_COMMAND_LENGTH = 300;

/** The part of an output that is kept outside its log. */
export type Excerpt = Pick<CommandOutcome, "head" | "tail" | "omitted">;

/** Collects the excerpt of an output of any length in bounded memory. */
export interface ExcerptCollector {
  push(text: string): void;
  end(): Excerpt;
}

/**
 * Makes a collector of plain text. Taking escape sequences out may join the parts of a secret that they kept
 * apart, so what remains is redacted (again).
 */
export function createExcerptCollector(redactor: Redactor): ExcerptCollector {
  const plain = createPlainTextStream();
  const redaction = redactor.stream();
  let head = "";
  let tail = "";
  let length = 0;

  const add = (text: string): void => {
    length += text.length;
    const toHead = wholeCharacters(text, HEAD_LENGTH - head.length);
    // Once something went to the tail, the head is closed, even if a character of two units left room for one.
    if (tail === "") head += toHead;
    const rest = tail === "" ? text.slice(toHead.length) : text;
    tail = (tail + rest.slice(-2 * TAIL_LENGTH)).slice(-2 * TAIL_LENGTH);
  };

  return {
    push(text) {
      add(redaction.push(plain.push(text)));
    },
    end() {
      add(redaction.push(plain.end()) + redaction.end());
      const last = lastWholeCharacters(tail, TAIL_LENGTH);
      return { head, tail: last, omitted: length - head.length - last.length };
    },
  };
}

function wholeCharacters(text: string, length: number): string {
  const cut = text.slice(0, Math.max(0, length));
  return cut.length < text.length && /[\uD800-\uDBFF]$/.test(cut) ? cut.slice(0, -1) : cut;
}

function lastWholeCharacters(text: string, length: number): string {
  const cut = text.slice(-length);
  return cut.length < text.length && /^[\uDC00-\uDFFF]/.test(cut) ? cut.slice(1) : cut;
}

/** The kept output as one text, with a mark where something is left out. */
export function outputText(excerpt: Excerpt): string {
  const gap =
    excerpt.omitted === 0 ? "" : `\n[… ${excerpt.omitted.toLocaleString("en-US")} characters left out …]\n`;
  return settleLines(excerpt.head + gap + excerpt.tail).trimEnd();
}

export interface CommandLimits {
  readonly timeoutMs?: number | undefined;
  readonly idleTimeoutMs?: number | undefined;
}

/** How a command ended, as the rest of a sentence that begins with the command: "exited with code 1". */
export function describeEnd(
  outcome: Pick<CommandOutcome, "end" | "exitCode" | "signal">,
  limits: CommandLimits = {},
): string {
  if (outcome.end === "exited" && outcome.signal !== null) return `was killed by ${outcome.signal}`;
  const descriptions: Record<CommandOutcome["end"], string> = {
    exited: `exited with code ${outcome.exitCode ?? "unknown"}`,
    timeout: `was ended: it took longer than its timeout${seconds(limits.timeoutMs)}`,
    "idle-timeout": `was ended: it hung, with no output for the whole idle timeout${seconds(limits.idleTimeoutMs)}`,
    cancelled: "was cancelled",
    "spawn-failed": "could not be started",
  };
  return descriptions[outcome.end];
}

function seconds(ms: number | undefined): string {
  return ms === undefined ? "" : ` of ${ms / 1000} s`;
}

/** What the next attempt is told of a command that failed: which, how, and its output. */
export function feedbackText(
  failed: CommandLimits & { readonly command: string; readonly outcome: CommandOutcome },
): string {
  const how = `Command failed: ${oneLine(failed.command)}\nIt ${describeEnd(failed.outcome, failed)}.`;
  const output = outputText(failed.outcome);
  return output === "" ? `${how}\nIt wrote no output.\n` : `${how}\nOutput:\n${output}\n`;
}

function oneLine(command: string): string {
  const text = command.trim().replace(/\s*\n\s*/g, " ⏎ ");
  return text.length <= MAX_COMMAND_LENGTH ? text : `${wholeCharacters(text, MAX_COMMAND_LENGTH)}…`;
}
