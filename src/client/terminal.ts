import picocolors from "picocolors";

/** The terminal that a person looks at. */
export interface Terminal {
  columns(): number;
  rows(): number;
  /** Whether text may be coloured: not with NO_COLOR. */
  readonly colors: boolean;
  /** Resolves when the terminal has taken the text. */
  write(text: string): Promise<void>;
  /** @returns ends the listening */
  onResize(listener: () => void): () => void;
}

const DEFAULT_ROWS = 24;
const DEFAULT_COLUMNS = 80;

/**
 * This process's stdout as a terminal, or null where it is none, or one that cannot move its cursor.
 * @param write takes the text; shared with everything else that is written to stdout
 */
export function processTerminal(
  env: Readonly<Record<string, string | undefined>>,
  write: (text: string) => Promise<void>,
): Terminal | null {
  const { stdout } = process;
  if (!stdout.isTTY || env.TERM === "dumb") return null;
  return {
    // A terminal whose size nobody has set says 0.
    columns: () => stdout.columns || DEFAULT_COLUMNS,
    rows: () => stdout.rows || DEFAULT_ROWS,
    colors: picocolors.isColorSupported,
    write,
    onResize: (listener) => {
      stdout.on("resize", listener);
      return () => void stdout.off("resize", listener);
    },
  };
}
