import { join } from "node:path";
import { TowpathError } from "../../model/errors.js";
import { parseMigrationId, parseStepId } from "../../model/ids.js";

/** Where everything of one migration lies (reference: migrations.md, Tree). Absolute where `dataDir` is. */
export interface MigrationPaths {
  readonly directory: string;
  readonly manifest: string;
  readonly state: string;
  readonly lock: string;
  /** What a holder of the lock is about to put in its place; the next holder clears it. */
  readonly staging: string;
  readonly docs: string;
  readonly seams: string;
  readonly features: string;
  readonly plan: string;
  readonly checkpoints: string;
  readonly progress: string;
  readonly logs: string;
  /** What attempts leave behind, one directory each: `$TOWPATH_OUT`. */
  readonly out: string;
  readonly reports: string;
  readonly feedback: string;
  readonly spec: string;
  /** Every spec that an edit brought in or replaced, by digest. */
  readonly specs: string;
  /** This migration's own copy of the requirements document: `$TOWPATH_PRD`. */
  readonly requirements: string;
}

/** The directory that holds all migrations. */
export function migrationsDirectory(dataDir: string): string {
  return join(dataDir, "migrations");
}

/**
 * The paths of a migration; nothing is looked at.
 * @throws TowpathError `InvalidMigrationId`
 */
export function migrationPaths(dataDir: string, migrationId: string): MigrationPaths {
  return pathsBelow(join(migrationsDirectory(dataDir), parseMigrationId(migrationId)));
}

/** The paths below a migration's directory, whatever it is called. */
export function pathsBelow(directory: string): MigrationPaths {
  return {
    directory,
    manifest: join(directory, "manifest.json"),
    state: join(directory, "state"),
    lock: join(directory, "state", ".lock"),
    staging: join(directory, "state", ".staging"),
    docs: join(directory, "docs"),
    seams: join(directory, "seams.json"),
    features: join(directory, "features.json"),
    plan: join(directory, "migration-plan.json"),
    checkpoints: join(directory, "checkpoints"),
    progress: join(directory, "progress.md"),
    logs: join(directory, "logs"),
    out: join(directory, "out"),
    reports: join(directory, "reports"),
    feedback: join(directory, "feedback"),
    spec: join(directory, "towpath.yaml"),
    specs: join(directory, "specs"),
    requirements: join(directory, "requirements.md"),
  };
}

/**
 * The file of a step's checkpoint.
 * @throws TowpathError `InvalidStepId`
 */
export function checkpointFile(paths: MigrationPaths, stepId: string): string {
  return join(paths.checkpoints, `${parseStepId(stepId)}.json`);
}

/** The folders of a migration that hold texts written whole. */
export type DocumentFolder = "docs" | "reports" | "feedback" | "specs";

/**
 * The file of a text in one of the folders.
 * @throws TowpathError `Usage` when `name` is no plain file name
 */
export function documentPath(paths: MigrationPaths, folder: DocumentFolder, name: string): string {
  if (!/^[A-Za-z0-9_][A-Za-z0-9._-]{0,199}$/u.test(name)) {
    throw new TowpathError("Usage", `'${name}' is no plain file name: use letters, digits, '.', '_' and '-'`);
  }
  return join(paths[folder], name);
}
