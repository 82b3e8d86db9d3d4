import type { Parsed } from "./artefact-text.js";
import { TowpathError } from "./errors.js";
import { parseFeatures } from "./features.js";
import type { Manifest } from "./manifest.js";
import type { Phase } from "./phases.js";
import { validatePlan } from "./plan.js";
import { validateSeams } from "./seams.js";
import { isStepDone } from "./step-summary.js";
import { recordedSteps } from "./steps.js";

/** What lies in a migration's directory; a text is null where there is no such file. */
export interface FileFacts {
  /** How many entries `docs/` has. */
  readonly docsEntries: number;
  readonly seamsText: string | null;
  readonly featuresText: string | null;
  readonly planText: string | null;
}

/**
 * Why a phase may not be left, as its files say; empty when they allow it. In a migration with step records of its
 * own these decide instead of `migration-plan.json`: a claim that somebody wrote into a file opens no gate there.
 */
export function fileGateRefusals(phase: Phase, facts: FileFacts, manifest?: Manifest): string[] {
  return [...ARTEFACT_REFUSALS[phase](facts, manifest), ...recordRefusals(phase, manifest)];
}

const ARTEFACT_REFUSALS: Record<Phase, (facts: FileFacts, manifest: Manifest | undefined) => string[]> = {
  understand: (facts) => [...docsRefusals(facts), ...seamsRefusals(facts)],
  guardrail: featuresRefusals,
  migrate: (facts, manifest) => (manifest?.steps === undefined ? planRefusals(facts) : []),
  verify: () => [],
};

function docsRefusals({ docsEntries }: FileFacts): string[] {
  return docsEntries > 0 ? [] : ["no documentation generated in docs/"];
}

function seamsRefusals({ seamsText }: FileFacts): string[] {
  if (seamsText === null) return ["seams.json does not exist"];
  return invalid("seams.json", validateSeams(seamsText));
}

function featuresRefusals({ featuresText }: FileFacts): string[] {
  if (featuresText === null) return ["features.json not found"];
  const features = parseFeatures(featuresText);
  if (!features.ok) return invalid("features.json", features);
  if (features.value.length === 0) return ["no features defined"];
  const failing = features.value.filter((feature) => !feature.passes).map((feature) => feature.id);
  return counted(failing, "characterization tests not passing");
}

function planRefusals({ planText }: FileFacts): string[] {
  if (planText === null) return ["migration-plan.json not found"];
  const plan = validatePlan(planText);
  if (!plan.ok) return invalid("migration-plan.json", plan);
  if (plan.value.steps.length === 0) return ["no steps defined"];
  const open = plan.value.steps.filter((step) => step.status !== "completed").map((step) => step.id);
  return counted(open, "steps not completed");
}

function recordRefusals(phase: Phase, manifest: Manifest | undefined): string[] {
  const steps = manifest === undefined ? null : recordedSteps(manifest);
  if (steps === null) return [];
  const mine = steps.filter(({ record }) => record.phase === phase);
  if (phase === "migrate" && mine.length === 0) return ["no steps defined"];
  const open = mine.filter(({ record }) => !isStepDone(record)).map(({ id }) => id);
  return counted(open, "steps not completed");
}

const NAMED = 5;
const PROBLEMS_SHOWN = 3;

function counted(ids: readonly string[], what: string): string[] {
  return ids.length === 0 ? [] : [`${ids.length} ${what} (${ids.slice(0, NAMED).join(", ")})`];
}

function invalid(file: string, result: Parsed<unknown>): string[] {
  if (result.ok) return [];
  const more = result.problems.length - PROBLEMS_SHOWN;
  const shown = result.problems.slice(0, PROBLEMS_SHOWN).join("; ");
  return [`${file} is invalid: ${shown}${more > 0 ? `; and ${more} more` : ""}`];
}

/** The error of a closed gate; its text is prefixed once, however many refusals there are. */
export function phaseGateError(phase: Phase, refusals: readonly string[]): TowpathError {
  return new TowpathError("PhaseGate", `Phase gate failed: ${refusals.join("; ")}`, {
    details: { phase, refusals: [...refusals] },
  });
}
