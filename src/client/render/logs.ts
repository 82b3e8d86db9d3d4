import type { LogFile } from "../../adapters/logs/logs.js";
import { table, type Column } from "./table.js";
import { relativeTime } from "./time.js";

const COLUMNS: readonly Column[] = [
  { title: "STEP", minimum: 12 },
  { title: "ATTEMPT", align: "right" },
  { title: "WHAT", minimum: 8 },
  { title: "BYTES", align: "right" },
  { title: "WRITTEN" },
];

/** What there is to read of a migration, in the order in which it was written. */
export function renderLogList(id: string, logs: readonly LogFile[], now: Date, width?: number): string {
  if (logs.length === 0) return "Nothing has been written yet.";
  const rows = logs.map((log) => [
    log.step,
    String(log.attempt),
    log.what,
    String(log.bytes),
    relativeTime(new Date(log.modifiedAt).toISOString(), now),
  ]);
  return `${table(COLUMNS, rows, width)}\n\nRead one with: towpath logs ${id} <step> [--attempt <n>]`;
}
