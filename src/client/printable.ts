/**
 * Control characters, and the marks that reorder text or separate lines invisibly: in a terminal they move the
 * cursor, recolour, retitle, or make a text read as what it is not.
 */
const UNSAFE = /[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/gu;
const UNSAFE_EXCEPT_LAYOUT = /(?![\n\t])[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/gu;

const SHORT: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/** Data as one harmless line of a terminal: `\x1b` and its like are shown, not obeyed. */
export function printable(text: string): string {
  return text.replace(UNSAFE, escaped);
}

/** Data of several lines: like `printable`, but line feeds and tabs stay. */
export function printableBlock(text: string): string {
  return text.replaceAll("\r\n", "\n").replace(UNSAFE_EXCEPT_LAYOUT, escaped);
}

function escaped(character: string): string {
  const short = SHORT[character];
  if (short !== undefined) return short;
  const code = character.charCodeAt(0);
  return code <= 0xff
    ? `\\x${code.toString(16).padStart(2, "0")}`
    : `\\u${code.toString(16).padStart(4, "0")}`;
}
