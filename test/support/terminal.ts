import { spawn, spawnSync } from "node:child_process";
import { displayWidth } from "../../src/client/render/table.js";

/** True where `script` of util-linux can give a command a terminal. */
export const HAS_TERMINALS = spawnSync("script", ["-qec", "true", "/dev/null"]).status === 0;

export interface TerminalOptions {
  readonly columns: number;
  readonly rows: number;
  readonly env: Readonly<Record<string, string>>;
}

/** A command in a terminal of its own. */
export interface TerminalRun {
  /** Everything that it has written, escape sequences included. */
  written(): string;
  /** What a person sees on the screen now, with what has scrolled away above it. */
  screen(): string[];
  /** Types on its keyboard. */
  type(keys: string): void;
  /** Resolves to the exit code. */
  readonly ended: Promise<number | null>;
  kill(): void;
}

/** @param command a line for the shell, made of the test's own words */
export function runInTerminal(command: string, { columns, rows, env }: TerminalOptions): TerminalRun {
  const line = `stty cols ${columns} rows ${rows}; ${command}`;
  const child = spawn("script", ["-qec", line, "/dev/null"], {
    env: { ...env, TERM: "xterm", SHELL: "/bin/bash" },
    stdio: ["pipe", "pipe", "inherit"],
  });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
  });
  return {
    written: () => output,
    screen: () => new Screen(columns).take(output),
    type: (keys) => void child.stdin.write(keys),
    ended: new Promise((resolve) => {
      child.on("close", (code) => resolve(code));
    }),
    kill: () => void child.kill("SIGKILL"),
  };
}

// oxlint-disable-next-line no-control-regex -- that is what a terminal is told with
const SEQUENCE = /\u001B\[([?0-9;]*)([A-Za-z])|\u001B[=>()][A-Z0-9]?|\u001B\][^\u0007]*\u0007/y;

/** As much of a terminal as is needed to tell what its user sees. */
class Screen {
  private readonly lines: string[] = [""];
  private row = 0;
  private column = 0;

  constructor(private readonly columns: number) {}

  take(output: string): string[] {
    for (let at = 0; at < output.length;) {
      SEQUENCE.lastIndex = at;
      const sequence = SEQUENCE.exec(output);
      if (sequence === null) {
        const character = String.fromCodePoint(output.codePointAt(at) ?? 0);
        this.put(character);
        at += character.length;
      } else {
        this.obey(sequence[2] ?? "", Number(sequence[1] || "1"));
        at += sequence[0].length;
      }
    }
    return this.lines.map((line) => line.trimEnd());
  }

  private put(character: string): void {
    if (character === "\r") this.column = 0;
    else if (character === "\b") this.column = Math.max(0, this.column - 1);
    else if (character === "\n") this.down();
    else if (character >= " ") this.write(character);
  }

  private write(character: string): void {
    if (this.column >= this.columns) {
      this.down();
      this.column = 0;
    }
    const line = (this.lines[this.row] ?? "").padEnd(this.column);
    this.lines[this.row] =
      line.slice(0, this.column) + character + line.slice(this.column + character.length);
    this.column += Math.max(1, displayWidth(character));
  }

  private down(): void {
    this.row += 1;
    this.lines[this.row] ??= "";
  }

  private obey(what: string, count: number): void {
    if (what === "A") this.row = Math.max(0, this.row - count);
    if (what === "K") this.lines[this.row] = (this.lines[this.row] ?? "").slice(0, this.column);
    if (what !== "J") return;
    this.lines[this.row] = (this.lines[this.row] ?? "").slice(0, this.column);
    this.lines.length = this.row + 1;
  }
}
