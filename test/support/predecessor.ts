import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

/** Of understand, guardrail, migrate and verify. */
export type Statuses = readonly [string, string, string, string];

export const HALF_WAY: Statuses = ["completed", "completed", "in_progress", "pending"];

export const FEATURES = [
  { id: "f1", description: "is there", passes: true, characterization_test: "test -e app.txt" },
];

export const PLAN = {
  steps: [
    { id: "first", status: "completed" },
    { id: "second", depends_on: ["first"] },
  ],
};

/** A manifest as the predecessor wrote it. */
export function predecessorManifest(
  id: string,
  source: string,
  statuses: Statuses,
  more: Record<string, unknown> = {},
): string {
  const names = ["understand", "guardrail", "migrate", "verify"];
  const phases = Object.fromEntries(
    names.map((name, index) => [
      name,
      { status: statuses[index], started_at: "2025-01-01T00:00:00+00:00", completed_at: "" },
    ]),
  );
  return JSON.stringify({
    id,
    created_at: "2025-01-01T00:00:00+00:00",
    source_info: { path: source, type: "unknown" },
    target_info: { target: "next", options: { source_type: "unknown" } },
    phases,
    feature_list_path: "",
    migration_plan_path: "",
    checkpoints: ["loki-migrate/first/pre"],
    status: "pending",
    progress_pct: 0,
    updated_at: "",
    source_path: "",
    team: "kept",
    ...more,
  });
}

/** A directory as the predecessor leaves it, below `parent`. */
export async function leaveMigration(
  parent: string,
  id: string,
  source: string,
  files: Readonly<Record<string, string>> = {},
): Promise<string> {
  const directory = join(parent, id);
  const all = {
    "docs/notes.md": "# Notes\n",
    "seams.json": "[]",
    "features.json": JSON.stringify(FEATURES),
    "migration-plan.json": JSON.stringify(PLAN),
    "checkpoints/first.json": JSON.stringify({ step_id: "first", tag: "loki-migrate/first/pre" }),
    "manifest.json.lock": "",
    "manifest.json": predecessorManifest(id, source, HALF_WAY),
    ...files,
  };
  for (const [name, text] of Object.entries(all)) {
    await mkdir(dirname(join(directory, name)), { recursive: true });
    await writeFile(join(directory, name), text);
  }
  return directory;
}
