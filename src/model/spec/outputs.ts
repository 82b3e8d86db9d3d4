import { TowpathError } from "../errors.js";
import { NAME_PATTERN } from "./schema.js";

/** A value travels to later steps in an environment variable, and the kernel takes no longer ones. */
const MAX_VALUE_BYTES = 65_536;
const MAX_OUTPUTS = 100;
const HEREDOC = /^([^=<]+)<<(.+)$/;

function refused(line: number, why: string): TowpathError {
  return new TowpathError("CommandFailed", `$TOWPATH_OUTPUT, line ${line}: ${why}`, { details: { line } });
}

/**
 * Reads what a step wrote to `$TOWPATH_OUTPUT`: lines `key=value`, or, for values of several lines, GitHub's form
 * `key<<DELIMITER`, the lines, `DELIMITER`. Of a key written twice the last value counts. Empty lines are skipped.
 * @param declared the names in the step's `outputs`, or null where it declares none
 * @throws TowpathError `CommandFailed` naming the line that cannot be read, or a declared name that was not written
 */
export function parseOutputs(
  text: string,
  declared: readonly string[] | null = null,
): Record<string, string> {
  const outputs = new Map<string, string>();
  const lines = text.replaceAll("\r\n", "\n").split("\n");
  for (let index = 0; index < lines.length; index++) {
    const line = lines[index] ?? "";
    if (line.trim() === "") continue;
    const entry = readEntry(lines, index);
    checkEntry(entry, index + 1, declared);
    outputs.set(entry.key, entry.value);
    index = entry.lastLine;
  }
  checkAll(outputs, declared);
  return Object.fromEntries(outputs);
}

interface Entry {
  readonly key: string;
  readonly value: string;
  readonly lastLine: number;
}

function readEntry(lines: readonly string[], index: number): Entry {
  const line = lines[index] ?? "";
  const [, key, delimiter] = HEREDOC.exec(line) ?? [];
  if (key === undefined || delimiter === undefined) return readLine(line, index);
  const end = lines.indexOf(delimiter, index + 1);
  if (end < 0) throw refused(index + 1, `the value of \`${key}\` is not closed by a line \`${delimiter}\``);
  return { key: key.trim(), value: lines.slice(index + 1, end).join("\n"), lastLine: end };
}

function readLine(line: string, index: number): Entry {
  const equals = line.indexOf("=");
  if (equals < 0) throw refused(index + 1, "expected `key=value`");
  return { key: line.slice(0, equals).trim(), value: line.slice(equals + 1), lastLine: index };
}

function checkEntry(entry: Entry, line: number, declared: readonly string[] | null): void {
  const { key, value } = entry;
  if (!NAME_PATTERN.test(key) || key === "__proto__")
    throw refused(line, "a key consists of letters, digits, _ and -");
  if (declared !== null && !declared.includes(key)) {
    throw refused(line, `\`${key}\` is not among the step's \`outputs\` (${declared.join(", ")})`);
  }
  if (value.includes("\0")) throw refused(line, `the value of \`${key}\` contains a NUL character`);
  if (new TextEncoder().encode(value).length > MAX_VALUE_BYTES) {
    throw refused(
      line,
      `the value of \`${key}\` is larger than ${MAX_VALUE_BYTES} bytes: write a file instead`,
    );
  }
}

function checkAll(outputs: ReadonlyMap<string, string>, declared: readonly string[] | null): void {
  const missing = (declared ?? []).filter((name) => !outputs.has(name));
  if (missing.length > 0) {
    throw new TowpathError(
      "CommandFailed",
      `The step did not write to $TOWPATH_OUTPUT: ${missing.join(", ")}`,
      {
        details: { missing },
      },
    );
  }
  if (outputs.size > MAX_OUTPUTS) {
    throw new TowpathError(
      "CommandFailed",
      `$TOWPATH_OUTPUT has ${outputs.size} outputs; ${MAX_OUTPUTS} are allowed.`,
    );
  }
}
