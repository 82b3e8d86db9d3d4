/** One measured quantity; `ratio` compares it with the row that the section names as its measure. */
export interface Row {
  readonly name: string;
  readonly value: number;
  readonly unit: "ms" | "s" | "MB" | "per s" | "per min" | "bytes" | "events" | "×";
  readonly target?: number;
  readonly note?: string;
}

export interface Section {
  readonly title: string;
  readonly rows: readonly Row[];
}

/** Prints a section as a table for people. */
export function printTable(section: Section): void {
  console.log(`\n${section.title}`);
  const width = Math.max(...section.rows.map((row) => row.name.length));
  for (const { name, value, unit, target, note } of section.rows) {
    const goal = target === undefined ? "" : `  (target ${target} ${unit})`;
    const remark = note === undefined ? "" : `  ${note}`;
    console.log(`  ${name.padEnd(width)}  ${format(value).padStart(10)} ${unit}${goal}${remark}`);
  }
}

function format(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toFixed(2);
}

/** The middle value. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}
