import { randomBytes } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { MockActivityEnvironment } from "@temporalio/testing";
import type { MigrationActivities } from "../../src/activities/contract.js";
import { createActivities } from "../../src/activities/index.js";
import { codeSignature } from "../../src/adapters/requirements/code-signature.js";
import { requirementsPaths, type RequirementsPaths } from "../../src/adapters/requirements/paths.js";
import { persistDocument } from "../../src/adapters/requirements/persist.js";
import { MigrationStore } from "../../src/adapters/store/migration-store.js";
import type { RequirementsRequest } from "../../src/model/messages.js";
import { draft, temporary } from "../adapters/requirements/fixture.js";
import type { Row } from "../model/requirements/table.js";

/** A data directory with real activities, and projects to run them on. */
export interface RequirementsBench {
  readonly store: MigrationStore;
  readonly activities: MigrationActivities;
  readonly dataDir: string;
}

export async function requirementsBench(
  environment: NodeJS.ProcessEnv = process.env,
): Promise<RequirementsBench> {
  const dataDir = join(await temporary(), "data");
  const store = new MigrationStore({ dataDir });
  const activities = createActivities({ dataDir, store, environment, now: () => new Date() });
  return { store, activities, dataDir };
}

export function newId(): string {
  return `mig_20260101_000000_test-${randomBytes(3).toString("hex")}`;
}

/** Runs an activity as Temporal would. */
export function inActivity<Answer>(run: () => Promise<Answer>): Promise<Answer> {
  return new MockActivityEnvironment().run(run);
}

/** A migration of a project, made by the real activity. */
export async function newMigration(
  { activities }: RequirementsBench,
  project: string,
  spec: string | null = null,
): Promise<string> {
  const migrationId = newId();
  const input = {
    migrationId,
    operation: "create",
    name: "test",
    target: "next",
    hostId: "test-00000000",
    source: project,
    spec: spec === null ? null : { fileName: "towpath.yaml", text: spec },
    params: spec === null ? {} : { word: "it's $HOME; rm -rf" },
    allowHost: true,
    author: { name: "Ada", email: "ada@example.org" },
  };
  await inActivity(() => activities.createMigration(input));
  return migrationId;
}

/** A project for which a row of the table is true, and the request that goes with it. */
export async function projectFor(row: Row): Promise<{ paths: RequirementsPaths; prd: RequirementsRequest }> {
  const paths = requirementsPaths(await temporary());
  const { project } = paths;
  await mkdir(join(project, "src"));
  await writeFile(join(project, "src", "a.py"), "a = 1\n");
  if (row.source !== "nothing") {
    const code = await codeSignature(paths);
    await persistDocument(paths, draft("persisted\n", { source: row.source, code }));
  }
  if (row.edited) await writeFile(paths.document, "edited\n");
  if (row.damaged) await writeFile(paths.pointer, "{ damaged");
  if (row.codeChanged) await writeFile(join(project, "src", "a.py"), "a = 2\n");
  if (!row.argument) return { paths, prd: { sha: null, fresh: row.fresh } };
  const { sha } = await persistDocument(paths, draft("given\n"));
  return { paths, prd: { sha, fresh: row.fresh } };
}
