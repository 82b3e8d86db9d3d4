import { TowpathError } from "../../model/errors.js";

export const MIGRATION_TRAILER = "Towpath-Migration";
export const STEP_TRAILER = "Towpath-Step";

const TRAILER_LINE = /^[A-Za-z0-9-]+: .+$/;

/**
 * A commit message with trailers in its last paragraph, as `git interpret-trailers` writes it: joined to the trailers
 * that the message ends with, else in a paragraph of their own. Lines of `text` that carry a name from `trailers` are
 * dropped: only Towpath says whose a commit is.
 */
export function commitMessage(text: string, trailers: Readonly<Record<string, string>>): string {
  const names = Object.keys(trailers).map((name) => `${name.toLowerCase()}:`);
  const lines = text
    .replaceAll("\0", "")
    .replaceAll(/\r\n?/g, "\n")
    .split("\n")
    .map((line) => line.trimEnd())
    .filter((line) => !names.some((name) => line.trimStart().toLowerCase().startsWith(name)));
  const body = lines
    .join("\n")
    .replaceAll(/\n{3,}/g, "\n\n")
    .trim();
  if (body === "") throw new TowpathError("Usage", "a commit message is empty");
  const block = Object.entries(trailers).map(([name, value]) => trailerLine(name, value));
  return `${body}${endsInTrailers(body) ? "\n" : "\n\n"}${block.join("\n")}\n`;
}

/** The placeholder of `git log --format` for a trailer's values, joined by commas when there are several. */
export function trailerValues(name: string): string {
  return `%(trailers:key=${name},valueonly,separator=%x2C)`;
}

function trailerLine(name: string, value: string): string {
  if (/[\r\n\0]/.test(value) || value.trim() === "") {
    throw new TowpathError("Usage", `the value of the commit trailer ${name} must be one line of text`);
  }
  return `${name}: ${value}`;
}

function endsInTrailers(body: string): boolean {
  const paragraphs = body.split("\n\n");
  const last = paragraphs.at(-1)?.split("\n") ?? [];
  return paragraphs.length > 1 && last.every((line) => TRAILER_LINE.test(line));
}
