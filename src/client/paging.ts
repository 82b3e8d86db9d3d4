import { startPager, type Pager } from "../adapters/terminal/pager.js";
import { displayWidth } from "./render/table.js";
import type { Terminal } from "./terminal.js";

type Environment = Readonly<Record<string, string | undefined>>;

/** As git does: leave where it all fits, keep colours, do not clear the screen behind it. */
const LESS = "FRX";

/** The pager that the environment names, its arguments parted by spaces; null where none is wanted. */
export function pagerCommand(env: Environment): readonly [string, ...string[]] | null {
  const [program, ...args] = (env.PAGER ?? "less").split(/\s+/).filter((word) => word !== "");
  return program === undefined || program === "cat" ? null : [program, ...args];
}

/** How many lines of a terminal a text takes. */
export function heightOf(text: string, columns: number): number {
  const lines = text.replace(/\n$/, "").split("\n");
  return lines.reduce((height, line) => height + Math.max(1, Math.ceil(displayWidth(line) / columns)), 0);
}

/** Text that goes to the terminal as it is while it fits, and all of it to a pager where it does not. */
export class PagedText {
  private held = "";
  private pager: Pager | "none" | null = null;

  constructor(
    private readonly terminal: Terminal,
    private readonly env: Environment,
  ) {}

  async write(text: string): Promise<void> {
    if (this.pager !== null) return this.pass(text);
    this.held += text;
    if (heightOf(this.held, this.terminal.columns()) < this.terminal.rows()) return;
    await this.open();
    const { held } = this;
    this.held = "";
    await this.pass(held);
  }

  /** Resolves when the reader has left the pager. */
  async end(): Promise<void> {
    if (this.pager === null) await this.terminal.write(this.held);
    else if (this.pager !== "none") await this.pager.end();
  }

  private async open(): Promise<void> {
    const command = pagerCommand(this.env);
    const env = { ...this.env, LESS: this.env.LESS ?? LESS };
    this.pager = (command === null ? null : await startPager(command, env)) ?? "none";
  }

  private async pass(text: string): Promise<void> {
    if (this.pager === null || this.pager === "none") await this.terminal.write(text);
    else await this.pager.write(text);
  }
}
