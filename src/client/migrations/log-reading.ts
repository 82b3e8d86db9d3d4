import { StringDecoder } from "node:string_decoder";
import { readLogFrom, type LogFile } from "../../adapters/logs/logs.js";
import { createPlainTextStream } from "../../model/plain-text.js";
import { printableBlock } from "../printable.js";

/** A line of more characters than that is given in parts: memory stays bounded whatever a command writes. */
const MAX_LINE = 1 << 20;

/** Reads one log as it grows; gives whole lines, without what would move a terminal's cursor. */
export class LogReader {
  private offset = 0;
  private line = "";
  private readonly decoder = new StringDecoder("utf8");
  private readonly plain = createPlainTextStream();

  constructor(readonly log: LogFile) {}

  /** Gives the complete lines that were written since the last call, many at a time, joined by line feeds. */
  async readOn(onLines: (lines: string) => Promise<void>): Promise<void> {
    this.offset = await readLogFrom(this.log.path, this.offset, async (bytes) => {
      const text = this.line + this.plain.push(this.decoder.write(Buffer.from(bytes)));
      const end = text.length > MAX_LINE ? text.length : text.lastIndexOf("\n") + 1;
      this.line = text.slice(end);
      if (end > 0) await onLines(shown(text.slice(0, end)));
    });
  }

  /** Gives the last line where it has no end, once nothing comes behind it. */
  async finish(onLines: (lines: string) => Promise<void>): Promise<void> {
    const rest = this.line + this.plain.push(this.decoder.end()) + this.plain.end();
    this.line = "";
    if (rest !== "") await onLines(shown(rest));
  }
}

function shown(text: string): string {
  return printableBlock(text.replaceAll("\r\n", "\n").replace(/\n$/, ""));
}
