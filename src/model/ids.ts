import { TowpathError } from "./errors.js";

const MIGRATION_ID = /^mig_\d{8}_\d{6}_[A-Za-z0-9_-]+$/;
const STEP_ID = /^[A-Za-z0-9_-]+$/;

/** A directory, and with `.lock` behind it a git ref's lock file, must fit into one file name of 255 bytes. */
const MAX_LOADED_MIGRATION_ID = 240;
const MAX_NEW_MIGRATION_ID = 199;
const MAX_STEP_ID = 63;

/** Bytes of randomness that keep starts in one second apart. */
export const MIGRATION_ID_RANDOM_BYTES = 3;

export interface MigrationIdParts {
  readonly now: Date;
  /** Path or name of the codebase; its last component names the migration. */
  readonly codebase: string;
  /** Exactly {@link MIGRATION_ID_RANDOM_BYTES} random bytes. */
  readonly random: Uint8Array;
}

/**
 * Draws a migration's id: `mig_YYYYMMDD_HHMMSS_<name>-<6 hex>` in UTC (reference: migrations.md, Identity).
 * It is the workflow's id and the directory's name as well.
 */
export function createMigrationId({ now, codebase, random }: MigrationIdParts): string {
  if (random.length !== MIGRATION_ID_RANDOM_BYTES) {
    throw new TowpathError("Internal", `A migration id needs ${MIGRATION_ID_RANDOM_BYTES} random bytes`);
  }
  const [date = "", time = ""] = now.toISOString().split("T");
  const prefix = `mig_${date.replaceAll("-", "")}_${time.slice(0, 8).replaceAll(":", "")}_`;
  const suffix = `-${[...random].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
  const room = MAX_NEW_MIGRATION_ID - prefix.length - suffix.length;
  return parseMigrationId(`${prefix}${codebaseName(codebase).slice(0, room)}${suffix}`);
}

function codebaseName(codebase: string): string {
  const base = codebase.replace(/\/+$/u, "").split("/").at(-1) ?? "";
  return base.replace(/[^A-Za-z0-9_-]/gu, "_") || "unnamed";
}

/** True for a text that {@link parseMigrationId} accepts. */
export function isMigrationId(text: string): boolean {
  return text.length <= MAX_LOADED_MIGRATION_ID && MIGRATION_ID.test(text);
}

/**
 * Reads a migration's id; ids without a random suffix are older and still load. What passes is safe as a file name
 * and as part of a git ref.
 * @throws TowpathError `InvalidMigrationId`
 */
export function parseMigrationId(text: string): string {
  if (!isMigrationId(text)) {
    throw new TowpathError("InvalidMigrationId", `Invalid migration id '${text}'`, {
      details: { migration_id: text },
    });
  }
  return text;
}

/** True for a text that {@link parseStepId} accepts. */
export function isStepId(text: string): boolean {
  return STEP_ID.test(text) && text.length <= MAX_STEP_ID && text !== "__proto__";
}

/**
 * Reads a step's id.
 * @throws TowpathError `InvalidStepId`
 */
export function parseStepId(text: string): string {
  if (isStepId(text)) return text;
  throw new TowpathError("InvalidStepId", `Invalid step_id '${text}': ${stepIdRule(text)}`, {
    details: { step_id: text },
  });
}

function stepIdRule(text: string): string {
  if (!STEP_ID.test(text)) return "must match ^[a-zA-Z0-9_-]+$";
  if (text.length > MAX_STEP_ID) return `must be at most ${MAX_STEP_ID} characters long`;
  return "the name is reserved";
}

/** The tag that marks the state before a step. */
export function checkpointTag(migrationId: string, stepId: string): string {
  return `towpath/${parseMigrationId(migrationId)}/${parseStepId(stepId)}/pre`;
}

/** The branch that a migration works on. */
export function migrationBranch(migrationId: string): string {
  return `towpath/${parseMigrationId(migrationId)}`;
}

/** The step that a checkpoint's tag belongs to, the predecessor's tags included; null for any other tag. */
export function stepOfCheckpointTag(tag: string): string | null {
  const parts = tag.split("/");
  const ours = parts.length === 4 && parts[0] === "towpath";
  const predecessors = parts.length === 3 && parts[0] === "loki-migrate";
  const step = parts.at(-2);
  if ((!ours && !predecessors) || parts.at(-1) !== "pre" || step === undefined) return null;
  return isStepId(step) ? step : null;
}
