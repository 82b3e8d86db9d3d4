import picocolors from "picocolors";
import { displayWidth } from "../render/table.js";
import type { Terminal } from "../terminal.js";
import type { FrameLine, Look } from "./frame.js";

const ESC = "\u001B";

/** Draws frames over one another at the end of what a terminal shows; the last one stays. */
export class Screen {
  private drawn: readonly string[] = [];
  private last = "";
  private readonly paint: Readonly<Record<Look, (text: string) => string>>;

  constructor(private readonly terminal: Pick<Terminal, "columns" | "write" | "colors">) {
    const colors = picocolors.createColors(terminal.colors);
    this.paint = {
      plain: (text) => text,
      strong: colors.bold,
      good: colors.green,
      bad: colors.red,
      running: colors.cyan,
      faint: colors.dim,
    };
  }

  /** Replaces what was drawn before; the same frame is not drawn again. */
  async draw(lines: readonly FrameLine[]): Promise<void> {
    const painted = lines.map(({ text, look }) => `${this.paint[look](text)}${ESC}[K\n`).join("");
    if (painted === this.last) return;
    const up = this.heightNow();
    this.drawn = lines.map(({ text }) => text);
    this.last = painted;
    await this.terminal.write(`${up === 0 ? "" : `${ESC}[${up}A\r`}${painted}${ESC}[J`);
  }

  /** A terminal that was made narrower has broken the lines that no longer fit. */
  private heightNow(): number {
    const columns = this.terminal.columns();
    return this.drawn.reduce(
      (height, text) => height + Math.max(1, Math.ceil(displayWidth(text) / columns)),
      0,
    );
  }
}
