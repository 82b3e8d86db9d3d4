import { TowpathError } from "./errors.js";
import { parseMigrationId } from "./ids.js";
import type { Json } from "./json.js";
import { isTerminal, MigrationStatus, type Manifest, type PhaseRecord } from "./manifest.js";
import { nextPhase, PHASES, previousPhase, type Phase } from "./phases.js";

export interface NewMigration {
  readonly id: string;
  readonly now: Date;
  /** Where the codebase is. */
  readonly source: string;
  /** The remote that it is a clone of; null: none. */
  readonly url?: string | null;
  /** What the codebase is written in; `unknown` when nobody said. */
  readonly sourceType?: string;
  readonly target: string;
  readonly options?: Record<string, Json>;
  readonly mode: "spec" | "hands-on";
  /** Towpath's own keys, as far as they are known already. */
  readonly own?: Partial<
    Pick<
      Manifest,
      | "name"
      | "host_id"
      | "branch"
      | "base_commit"
      | "worktree"
      | "project_prefix"
      | "spec_digest"
      | "step_order"
      | "steps"
    >
  >;
}

/**
 * The manifest of a migration that begins: `understand` in progress, the rest pending.
 * @throws TowpathError `InvalidMigrationId`
 */
export function createManifest(migration: NewMigration): Manifest {
  const now = migration.now.toISOString();
  const remote = migration.url ? { url: migration.url } : {};
  return {
    id: parseMigrationId(migration.id),
    created_at: now,
    source_info: { path: migration.source, type: migration.sourceType ?? "unknown", ...remote },
    target_info: { target: migration.target, options: migration.options ?? {} },
    phases: {
      understand: begun(now),
      guardrail: PENDING,
      migrate: PENDING,
      verify: PENDING,
    },
    feature_list_path: "",
    migration_plan_path: "",
    checkpoints: [],
    status: "in_progress",
    progress_pct: 0,
    updated_at: now,
    source_path: migration.source,
    revision: 0,
    mode: migration.mode,
    ...migration.own,
  };
}

const PENDING: PhaseRecord = { status: "pending", started_at: "", completed_at: "" };

function begun(now: string): PhaseRecord {
  return { status: "in_progress", started_at: now, completed_at: "" };
}

/**
 * Starts a phase, or restarts a completed or failed one; one that is in progress stays as it is. What follows a
 * restarted phase rested on its old result and is pending again, so that never two phases are in progress.
 * @throws TowpathError `PhaseStatus` when the phase before is not completed, `WrongStatus` when the migration is over
 */
export function startPhase(manifest: Manifest, phase: Phase, now: Date): Manifest {
  const record = manifest.phases[phase];
  if (record?.status === "in_progress") return manifest;
  refuseWhenOver(manifest, `Cannot start phase '${phase}'`);
  if (record === undefined) {
    throw new TowpathError("PhaseStatus", `Cannot start phase '${phase}': it is missing from the manifest`);
  }
  const before = previousPhase(phase);
  const required = before === null ? "completed" : statusOf(manifest, before);
  if (required !== "completed") {
    throw new TowpathError(
      "PhaseStatus",
      `Cannot start phase '${phase}': phase '${before}' is '${required}', expected 'completed'`,
    );
  }
  return withPhases(manifest, {
    ...pendingAfter(manifest, phase),
    [phase]: { ...record, ...begun(now.toISOString()) },
  });
}

function pendingAfter(manifest: Manifest, phase: Phase): Manifest["phases"] {
  const later = PHASES.slice(PHASES.indexOf(phase) + 1);
  return Object.fromEntries(
    later.flatMap((name) => {
      const record = manifest.phases[name];
      return record === undefined || record.status === "pending" ? [] : [[name, { ...record, ...PENDING }]];
    }),
  );
}

/** The status of a phase; `missing` where the manifest has no such key. */
export function statusOf(manifest: Manifest, phase: Phase): string {
  return manifest.phases[phase]?.status ?? "missing";
}

/**
 * Completes a phase and starts the next; completing `verify` completes the migration. The gate is the caller's.
 * @throws TowpathError `PhaseStatus` when the phase is not in progress, `WrongStatus` when the migration is over
 */
export function completePhase(manifest: Manifest, phase: Phase, now: Date): Manifest {
  const record = manifest.phases[phase];
  if (record?.status !== "in_progress") {
    throw new TowpathError(
      "PhaseStatus",
      `Cannot advance phase '${phase}': status is '${statusOf(manifest, phase)}', expected 'in_progress'`,
      { details: { phase, status: statusOf(manifest, phase) } },
    );
  }
  refuseWhenOver(manifest, `Cannot advance phase '${phase}'`);
  const time = now.toISOString();
  const completed = { ...record, status: "completed" as const, completed_at: time };
  const next = nextPhase(phase);
  if (next === null) return { ...withPhases(manifest, { [phase]: completed }), status: "completed" };
  const following = manifest.phases[next];
  if (following === undefined) {
    throw new TowpathError(
      "PhaseStatus",
      `Cannot advance phase '${phase}': the next phase '${next}' is missing from the manifest`,
    );
  }
  return withPhases(manifest, { [phase]: completed, [next]: { ...following, ...begun(time) } });
}

/**
 * Marks a phase that is in progress as failed; it may be started again.
 * @throws TowpathError `PhaseStatus` when it is not in progress
 */
export function failPhase(manifest: Manifest, phase: Phase, now: Date): Manifest {
  const record = manifest.phases[phase];
  if (record?.status !== "in_progress") {
    throw new TowpathError(
      "PhaseStatus",
      `Cannot fail phase '${phase}': status is '${statusOf(manifest, phase)}', expected 'in_progress'`,
    );
  }
  return withPhases(manifest, {
    [phase]: { ...record, status: "failed", completed_at: now.toISOString() },
  });
}

function withPhases(manifest: Manifest, changed: Manifest["phases"]): Manifest {
  return { ...manifest, phases: { ...manifest.phases, ...changed } };
}

function refuseWhenOver(manifest: Manifest, what: string): void {
  const status = MigrationStatus.safeParse(manifest.status);
  if (!status.success || !isTerminal(status.data)) return;
  throw new TowpathError("WrongStatus", `${what}: the migration is ${status.data}`, {
    details: { status: status.data },
  });
}

/**
 * Refuses a way from one phase to another that is not the next.
 * @throws TowpathError `PhaseJump`
 */
export function assertNextPhase(from: Phase, to: Phase): void {
  if (nextPhase(from) !== to) throw new TowpathError("PhaseJump", `Cannot jump from ${from} to ${to}`);
}

/** Takes a checkpoint's tag into the manifest; a tag that is there already is not listed twice. */
export function recordCheckpoint(manifest: Manifest, tag: string): Manifest {
  if (manifest.checkpoints.includes(tag)) return manifest;
  return { ...manifest, checkpoints: [...manifest.checkpoints, tag] };
}

/** Takes checkpoints out again: their steps are undone, or recording one failed. */
export function forgetCheckpoints(manifest: Manifest, tags: readonly string[]): Manifest {
  const gone = new Set(tags);
  const checkpoints = manifest.checkpoints.filter((tag) => !gone.has(tag));
  return checkpoints.length === manifest.checkpoints.length ? manifest : { ...manifest, checkpoints };
}

/**
 * The status that the phases say: what an adopted manifest's `status` is set to, because the predecessor never
 * updated its own.
 */
export function statusFromPhases(manifest: Manifest): MigrationStatus {
  const statuses = PHASES.map((phase) => statusOf(manifest, phase));
  if (statuses.every((status) => status === "completed")) return "completed";
  return "in_progress";
}
