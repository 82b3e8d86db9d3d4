import { TowpathError } from "./errors.js";
import { migrationBranch } from "./ids.js";
import { isTerminal, type Manifest, MigrationStatus } from "./manifest.js";
import type { CarriedState } from "./messages.js";
import { PHASES, type Phase, type PhaseStatus } from "./phases.js";
import { needsAnalysis } from "./requirements/decision.js";
import { tallyOf } from "./tally.js";

/**
 * What a workflow takes over that goes on with a migration whose own workflow is gone, from what the directory records.
 * @throws TowpathError `WrongStatus` where the migration is over, or had not begun
 */
export function recoveredState(manifest: Manifest): CarriedState {
  refuseUnlessOpen(manifest);
  const status = (phase: Phase): PhaseStatus => manifest.phases[phase]?.status ?? "pending";
  const { completed, total, percent, tests } = tallyOf(manifest);
  return {
    phase: PHASES.find((phase) => status(phase) !== "completed") ?? "verify",
    phases: {
      understand: status("understand"),
      guardrail: status("guardrail"),
      migrate: status("migrate"),
      verify: status("verify"),
    },
    operations: countAbove(manifest),
    paused: manifest.status === "paused",
    prepared: hasTriedSteps(manifest),
    completedSteps: completed,
    totalSteps: total,
    percent,
    tests,
    recentSteps: [],
    workspace: { branch: migrationBranch(manifest.id), baseCommit: manifest.base_commit ?? "" },
    startedAt: manifest.created_at,
    requirements: settledRequirements(manifest),
  };
}

function refuseUnlessOpen({ id, status, outcome, base_commit: base }: Manifest): void {
  const known = MigrationStatus.safeParse(status);
  if (known.success && isTerminal(known.data)) {
    const why = outcome === undefined ? "" : `: ${outcome}`;
    throw new TowpathError(
      "WrongStatus",
      `The migration ${id} is over (${status}${why}); it does not go on.`,
    );
  }
  if (base !== undefined) return;
  throw new TowpathError(
    "WrongStatus",
    `The migration ${id} had not begun: it has no worktree yet, and nothing to go on with. Start it anew with: towpath start`,
  );
}

/** Before the first attempt every part of the preparation was done; what of it is done is not done again. */
function hasTriedSteps(manifest: Manifest): boolean {
  return Object.values(manifest.steps ?? {}).some(({ attempts }) => attempts > 0);
}

/**
 * A number above all that the lost workflow can have counted to, so that whatever it had asked for and is still under way
 * somewhere is taken for what it is: late. It counts at most twice for each change of the manifest.
 */
function countAbove({ revision, lease }: Manifest): number {
  return Math.max(2 * revision, lease?.turn ?? 0) + 100;
}

/** null: they are to be decided on (again), for the document that they speak of was not made. */
function settledRequirements({ requirements }: Manifest): CarriedState["requirements"] {
  if (requirements === undefined) return null;
  return needsAnalysis(requirements.action) && requirements.sha === null ? null : requirements;
}
