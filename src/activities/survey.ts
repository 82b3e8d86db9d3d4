import { mkdir } from "node:fs/promises";
import type { Worktree } from "../adapters/git/places.js";
import type { Host, SpecMigration } from "./host.js";

export async function surveyProject(
  host: Host,
  migration: SpecMigration,
  _worktree: Worktree,
  _ignore: readonly string[],
  _signal: AbortSignal,
): Promise<void> {
  await mkdir(migration.paths.docs, { recursive: true });
  await host.store.writeDocument(migration.id, "docs", "overview.md", "# Overview\n");
  await host.store.writeArtefact(migration.id, "seams", []);
}
