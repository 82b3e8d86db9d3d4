import { printable } from "../printable.js";

/** Wide East Asian characters and emoji take two columns of a terminal. */
const WIDE =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe4f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u;
const ZERO = /\p{Mark}|\u200d/u;

function columnsOf(character: string): number {
  if (ZERO.test(character)) return 0;
  return WIDE.test(character) ? 2 : 1;
}

/** How many terminal columns a text without control characters takes. */
export function displayWidth(text: string): number {
  let width = 0;
  for (const character of text) width += columnsOf(character);
  return width;
}

/** Cuts a text to at most `width` columns; what was cut shows as `…`. */
export function fit(text: string, width: number): string {
  if (displayWidth(text) <= width) return text;
  if (width <= 0) return "";
  let kept = "";
  let used = 0;
  for (const character of text) {
    const columns = columnsOf(character);
    if (used + columns > width - 1) break;
    kept += character;
    used += columns;
  }
  return `${kept}…`;
}

export interface Column {
  readonly title: string;
  /** Columns with a floor are cut, the widest first, where the terminal is too narrow; the others never. */
  readonly minimum?: number;
  readonly align?: "left" | "right";
  /** Where the terminal is too narrow even so, columns are left out, those with the lowest rank first; without one, never. */
  readonly rank?: number;
}

const GAP = "  ";

function narrowed(widths: readonly number[], columns: readonly Column[], available: number): number[] {
  const result = [...widths];
  let excess = result.reduce((sum, width) => sum + width, GAP.length * (columns.length - 1)) - available;
  while (excess > 0) {
    let widest = -1;
    for (const [index, column] of columns.entries()) {
      const width = result[index] ?? 0;
      if (column.minimum === undefined || width <= column.minimum) continue;
      if (widest === -1 || width > (result[widest] ?? 0)) widest = index;
    }
    if (widest === -1) return result;
    result[widest] = (result[widest] ?? 0) - 1;
    excess -= 1;
  }
  return result;
}

/** The columns that there is room for, by their index. */
function keptColumns(columns: readonly Column[], natural: readonly number[], available: number): number[] {
  const kept = columns.map((_, index) => index);
  const needed = (): number =>
    kept.reduce((sum, index) => sum + leastWidth(columns[index], natural[index] ?? 0), 0) +
    GAP.length * (kept.length - 1);
  const droppable = kept
    .filter((index) => columns[index]?.rank !== undefined)
    .sort((a, b) => (columns[a]?.rank ?? 0) - (columns[b]?.rank ?? 0));
  for (const index of droppable) {
    if (needed() <= available) break;
    kept.splice(kept.indexOf(index), 1);
  }
  return kept;
}

function leastWidth(column: Column | undefined, natural: number): number {
  return Math.min(natural, column?.minimum ?? natural);
}

function pad(text: string, width: number, align: "left" | "right"): string {
  const space = " ".repeat(Math.max(0, width - displayWidth(text)));
  return align === "right" ? space + text : text + space;
}

/**
 * Lays rows out in columns.
 * @param width columns of the terminal; without it nothing is cut (output that is not a terminal's is for programs)
 */
export function table(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  width?: number,
): string {
  const natural = naturalWidths(columns, rows);
  const kept = keptColumns(columns, natural, width ?? Number.POSITIVE_INFINITY);
  return layOut(
    kept.flatMap((index) => columns[index] ?? []),
    rows.map((row) => kept.map((index) => row[index] ?? "")),
    width,
  );
}

function naturalWidths(columns: readonly Column[], rows: readonly (readonly string[])[]): number[] {
  return columns.map((column, index) =>
    rows.reduce(
      (widest, row) => Math.max(widest, displayWidth(printable(row[index] ?? ""))),
      displayWidth(column.title),
    ),
  );
}

function layOut(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  width: number | undefined,
): string {
  const cells = [
    columns.map((column) => column.title),
    ...rows.map((row) => columns.map((_, index) => printable(row[index] ?? ""))),
  ];
  const natural = naturalWidths(columns, rows);
  const widths = width === undefined ? natural : narrowed(natural, columns, width);
  return cells
    .map((row) =>
      columns
        .map((column, index) => {
          const columnWidth = widths[index] ?? 0;
          return pad(fit(row[index] ?? "", columnWidth), columnWidth, column.align ?? "left");
        })
        .join(GAP)
        .trimEnd(),
    )
    .join("\n");
}
