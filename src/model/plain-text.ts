/** Turns terminal output, coming in pieces, into plain text. */
export interface PlainTextStream {
  push(chunk: string): string;
  end(): string;
}

const ESC = "\u001B";
const BEL = "\u0007";
/** Parameters and intermediates of a control sequence (ECMA-48, 5.4); bounded, so that no more than this is ever held back. */
const CSI = `(?:${ESC}\\[|\u009B)[0-?]{0,256}[ -/]{0,16}`;
/** Titles, hyperlinks and other strings to the terminal (ECMA-48, 5.6), up to their terminator. */
const CONTROL_STRING = `${ESC}[\\]PX^_][^${ESC}${BEL}]{0,4096}`;
const SHORT = `${ESC}[ -/]{0,16}`;

const SEQUENCE = new RegExp(
  [`${CSI}[@-~]`, `${CONTROL_STRING}(?:${BEL}|${ESC}\\\\)`, `${SHORT}[0-~]`].join("|"),
  "g",
);
const UNFINISHED = new RegExp(`(?:${CSI}|${CONTROL_STRING}${ESC}?|${SHORT})$`);
/** Every control character but tab, line feed and carriage return. */
const CONTROL = /(?![\t\n\r])\p{Cc}/gu;

/** Removes escape sequences and control characters, also those cut apart by the pieces. */
export function createPlainTextStream(): PlainTextStream {
  let pending = "";
  return {
    push(chunk) {
      const text = pending + chunk;
      const held = UNFINISHED.exec(text)?.index ?? text.length;
      pending = text.slice(held);
      return withoutControls(text.slice(0, held));
    },
    end() {
      const rest = withoutControls(pending);
      pending = "";
      return rest;
    },
  };
}

function withoutControls(text: string): string {
  return text.replace(SEQUENCE, "").replace(CONTROL, "");
}

/** Line ends as `\n`; of a line that was written over itself (a progress bar) only what stood there last. */
export function settleLines(text: string): string {
  return text
    .replace(/\r+\n/g, "\n")
    .replace(/[^\n\r]*\r+(?=[^\r])/g, "")
    .replace(/\r+$/, "");
}
