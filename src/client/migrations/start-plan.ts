import { defaultContainer, stepContainer } from "../../model/containers/settings.js";
import type { ParamValue } from "../../model/messages.js";
import { PHASES, type Phase } from "../../model/phases.js";
import { listOf, needsOf, stepsInOrder } from "../../model/spec/order.js";
import type { Spec, SpecGate, SpecStep } from "../../model/spec/schema.js";
import type { PlannedRequirements } from "./requirements.js";

/** What a step would do, for people and scripts; a dry run's view of it. */
export interface PlannedStep {
  readonly id: string;
  readonly name: string | null;
  readonly kind: "run" | "agent" | "survey";
  /** What runs: the script, or the agent's command; null for a built-in step. */
  readonly command: string | null;
  readonly prompt: string | null;
  readonly needs: readonly string[];
  readonly if: string | boolean | null;
  readonly verify: readonly string[];
  /** The image that its commands run in; null: on the host. */
  readonly container: string | null;
  readonly timeout: string | null;
  readonly maxAttempts: number;
  readonly continueOnError: boolean;
  readonly scope: { readonly include: readonly string[]; readonly protect: readonly string[] };
  readonly report: string | null;
}

/** What must hold to leave a phase, besides the artefacts that its file gate asks for. */
export interface PlannedGate {
  /** What the phase must have produced. */
  readonly files: string;
  readonly tests: string | null;
  readonly ratchet: readonly { readonly name: string; readonly run: string; readonly max: number }[];
  readonly run: readonly string[];
  readonly approval: {
    readonly required: number;
    readonly timeout: string | null;
    readonly onTimeout: string;
  } | null;
}

/** A behaviour that the migration must keep, and what shows it before and after. */
export interface PlannedFeature {
  readonly id: string;
  readonly test: string;
  readonly testAfter: string | null;
}

export interface PlannedPhase {
  readonly phase: Phase;
  readonly steps: readonly PlannedStep[];
  /** Only in `guardrail`: one for each test of the baseline, or those that the spec names. */
  readonly features: "from-baseline" | readonly PlannedFeature[] | null;
  readonly gate: PlannedGate;
  /** A person opens the next phase. */
  readonly manual: boolean;
}

/** Everything that a start would do. */
export interface StartPlan {
  readonly name: string;
  readonly target: string;
  readonly mode: "spec" | "hands-on";
  readonly source: string;
  /** The commit is null where only the host that clones it will know. */
  readonly base: { readonly ref: string; readonly commit: string | null };
  readonly spec: string | null;
  readonly params: Readonly<Record<string, ParamValue>>;
  readonly setup: string | null;
  readonly requirements: PlannedRequirements;
  readonly baseline: { readonly run: string; readonly report: string } | null;
  readonly phases: readonly PlannedPhase[];
  /** Whether commands run on this host, and whether somebody has agreed to that. */
  readonly host: "no commands" | "consent given" | "consent needed";
  /** Names only, and whether the variable is set here. */
  readonly secrets: readonly { readonly name: string; readonly set: boolean }[];
}

const FILE_GATES: Readonly<Record<Phase, string>> = {
  understand: "docs/ has an entry, and seams.json is valid",
  guardrail: "every feature in features.json passes its characterization test",
  migrate: "every step of the plan is completed",
  verify: "every feature passes its test again",
};

function kindOf(step: SpecStep): PlannedStep["kind"] {
  if (step.run !== undefined) return "run";
  return step.agent === undefined ? "survey" : "agent";
}

function plannedStep(step: SpecStep, spec: Spec): PlannedStep {
  const { defaults } = spec;
  return {
    id: step.id,
    name: step.name ?? null,
    kind: kindOf(step),
    command: step.run ?? step.agent?.command ?? null,
    prompt: step.agent?.prompt ?? null,
    needs: needsOf(step),
    if: step.if ?? null,
    verify: listOf(step.verify),
    container: step.uses === undefined ? (stepContainer(spec, step.container)?.image ?? null) : null,
    timeout: step.timeout ?? defaults?.timeout ?? null,
    maxAttempts: step.retry?.["max-attempts"] ?? defaults?.retry?.["max-attempts"] ?? 1,
    continueOnError: step["continue-on-error"] ?? false,
    scope: { include: step.scope?.include ?? [], protect: step.scope?.protect ?? [] },
    report: step.report ?? null,
  };
}

function testsText(tests: NonNullable<SpecGate["tests"]>): string {
  const identity = tests.identity ?? "classname-and-name";
  const allowed = tests.allow?.length ?? 0;
  const exceptions = allowed === 0 ? "" : `, ${allowed} allowed to fail or go`;
  const skipped =
    tests["newly-skipped"] === "approve" ? "; what is skipped anew, a person approves by name" : "";
  return `no test fails, goes missing or is skipped that passed in the baseline (by ${identity}${exceptions}${skipped})`;
}

function plannedGate(phase: Phase, gate: SpecGate | undefined): PlannedGate {
  const approval = gate?.approval;
  return {
    files: FILE_GATES[phase],
    tests: gate?.tests === undefined ? null : testsText(gate.tests),
    ratchet: gate?.ratchet ?? [],
    run: listOf(gate?.run),
    approval:
      approval === undefined
        ? null
        : {
            required: approval.required ?? 1,
            timeout: approval.timeout ?? null,
            onTimeout: approval["on-timeout"] ?? "pause",
          },
  };
}

function plannedFeatures(spec: Spec): PlannedPhase["features"] {
  const features = spec.phases.guardrail?.features;
  if (features === undefined || features === "from-baseline") return features ?? null;
  return features.map(({ id, test, "test-after": testAfter }) => ({
    id,
    test,
    testAfter: testAfter ?? null,
  }));
}

/**
 * The phases of a spec as they would run.
 * @param manual a person advances every phase, whatever the spec says
 */
export function plannedPhases(spec: Spec, manual: boolean): PlannedPhase[] {
  const position = new Map(stepsInOrder(spec).map((id, index) => [id, index]));
  return PHASES.map((phase) => {
    const definition = spec.phases[phase];
    const steps = [...(definition?.steps ?? [])].sort(
      (a, b) => (position.get(a.id) ?? 0) - (position.get(b.id) ?? 0),
    );
    return {
      phase,
      steps: steps.map((step) => plannedStep(step, spec)),
      features: phase === "guardrail" ? plannedFeatures(spec) : null,
      gate: plannedGate(phase, definition?.gate),
      manual: manual || (definition?.manual ?? false),
    };
  });
}

/** The phases of a migration without a spec: people do the steps, Towpath checks the gates. */
export function handsOnPhases(): PlannedPhase[] {
  return PHASES.map((phase) => ({
    phase,
    steps: [],
    features: null,
    gate: plannedGate(phase, undefined),
    manual: true,
  }));
}

/** Every command of a spec that would run on the host, each once. */
export function hostCommands(spec: Spec): string[] {
  const steps = PHASES.flatMap((phase) => spec.phases[phase]?.steps ?? []);
  const commands = [
    ...(defaultContainer(spec) === null ? commandsOutsideSteps(spec) : []),
    ...steps
      .filter((step) => stepContainer(spec, step.container) === null)
      .flatMap((step) => [step.run, step.agent?.command].concat(listOf(step.verify))),
  ];
  return [...new Set(commands.filter((command) => command !== undefined))];
}

function commandsOutsideSteps(spec: Spec): (string | undefined)[] {
  const gates = PHASES.flatMap((phase) => spec.phases[phase]?.gate ?? []);
  const features = spec.phases.guardrail?.features;
  return [
    spec.workspace?.setup,
    spec.requirements?.generate,
    spec.baseline?.run,
    ...(typeof features === "object" ? features : []).flatMap((feature) => [
      feature.test,
      feature["test-after"],
    ]),
    ...gates.flatMap((gate) => (gate.ratchet ?? []).map((ratchet) => ratchet.run).concat(listOf(gate.run))),
  ];
}
