import { surveyCodebase } from "../adapters/codebase/survey.js";
import { trackedFiles } from "../adapters/git/tracked-files.js";
import type { Worktree } from "../adapters/git/places.js";
import { renderSurvey } from "../model/survey/render.js";
import { type Host, projectDirectory, type SpecMigration } from "./host.js";

/** The built-in step `uses: survey`: writes `docs/` and `seams.json` from what is in the project. */
export async function surveyProject(
  host: Host,
  migration: SpecMigration,
  worktree: Worktree,
  ignore: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const directory = projectDirectory(worktree);
  const files = await trackedFiles(worktree, signal);
  const { docs, seams } = renderSurvey(await surveyCodebase(directory, { signal, ignore, files }));
  for (const [name, text] of Object.entries(docs)) {
    await host.store.writeDocument(migration.id, "docs", name, text);
  }
  await host.store.writeArtefact(migration.id, "seams", [...seams]);
}
