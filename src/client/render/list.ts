import { relativeTime } from "./time.js";
import { table, type Column } from "./table.js";

/** One migration as `list` shows it. */
export interface ListedMigration {
  readonly id: string;
  /** A migration's status, a closed workflow's (`terminated`…), or `corrupt`. */
  readonly status: string;
  /** "" where it is not known here. */
  readonly phase: string;
  /** Per cent; null where it is not known here. */
  readonly progress: number | null;
  readonly waitingFor: string;
  /** ISO time. */
  readonly startedAt: string;
  readonly target: string;
  readonly source: string;
  readonly host: string;
  /** Where this row's facts come from. */
  readonly known: readonly ("server" | "local")[];
  /** What is wrong with a corrupt one. */
  readonly error: string | null;
}

const COLUMNS: readonly Column[] = [
  { title: "ID", minimum: 24 },
  { title: "STATUS" },
  { title: "PHASE", rank: 2 },
  { title: "PROGRESS", align: "right", rank: 3 },
  { title: "WAITING FOR", minimum: 11 },
  { title: "STARTED", minimum: 8, rank: 1 },
];

function row(migration: ListedMigration, now: Date): string[] {
  return [
    migration.id,
    migration.status,
    migration.phase,
    migration.progress === null ? "" : `${migration.progress} %`,
    migration.error ?? migration.waitingFor,
    relativeTime(migration.startedAt, now),
  ];
}

/** The list as a table, in the order given. */
export function renderList(migrations: readonly ListedMigration[], now: Date, width?: number): string {
  if (migrations.length === 0) return "No migrations. Start one with: towpath start";
  return table(
    COLUMNS,
    migrations.map((migration) => row(migration, now)),
    width,
  );
}
