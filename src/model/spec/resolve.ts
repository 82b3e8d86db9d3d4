import { TowpathError } from "../errors.js";
import { type ContainerSettings, stepContainer } from "../containers/settings.js";
import { PHASES, type Phase } from "../phases.js";
import { parseDuration } from "./durations.js";
import { type PlacedStep, listOf, needsOf, placedStep, placedSteps } from "./order.js";
import type { FEATURE_RISKS, NEWLY_SKIPPED, Spec, SpecStep, TEST_IDENTITIES } from "./schema.js";

const MINUTE_MS = 60_000;
export const DEFAULT_TIMEOUT_MS = 60 * MINUTE_MS;
/** Commands may be silent for long; an agent that is has hung. */
export const DEFAULT_AGENT_IDLE_MS = 10 * MINUTE_MS;
export const DEFAULT_BACKOFF_MS = 5_000;

export type StepAction =
  | { readonly kind: "survey"; readonly ignore: readonly string[] }
  | { readonly kind: "run"; readonly script: string }
  | { readonly kind: "agent"; readonly command: string; readonly prompt: string };

export interface ResolvedRetry {
  readonly maxAttempts: number;
  readonly backoffMs: number;
  readonly feedback: boolean;
}

export interface ResolvedScope {
  /** Empty: everything. */
  readonly include: readonly string[];
  readonly protect: readonly string[];
}

/**
 * A step with every default applied: plain JSON. Scripts, prompt, commit message and environment values still have
 * their `${{ }}`: `renderScript`, `renderText`, `renderCommitMessage` and `renderEnv` fill them, an attempt at a time.
 */
export interface ResolvedStep {
  readonly id: string;
  readonly phase: Phase;
  readonly name: string;
  readonly action: StepAction;
  readonly needs: readonly string[];
  /** The text of `if`; null: always. */
  readonly condition: string | null;
  /** The spec's, the defaults' and the step's own, in this order. */
  readonly env: Readonly<Record<string, string>>;
  /** Relative to the project's directory. */
  readonly workingDirectory: string;
  readonly timeoutMs: number;
  /** null: silence is no failure. */
  readonly idleTimeoutMs: number | null;
  readonly retry: ResolvedRetry;
  readonly verify: readonly string[];
  readonly commit: string;
  readonly scope: ResolvedScope;
  /** File or glob below the attempt's output directory. */
  readonly report: string | null;
  readonly cleanIgnored: boolean;
  readonly continueOnError: boolean;
  /** Null: the host. */
  readonly container: ContainerSettings | null;
  /** Names that the step may write, and must; null: it declares none. */
  readonly outputs: readonly string[] | null;
}

export interface ResolvedBaseline {
  readonly script: string;
  readonly report: string;
  readonly env: Readonly<Record<string, string>>;
  readonly workingDirectory: string;
  readonly timeoutMs: number;
  readonly idleTimeoutMs: number | null;
}

export interface ResolvedGate {
  readonly tests: {
    readonly identity: (typeof TEST_IDENTITIES)[number];
    readonly allow: readonly string[];
    /** Tests that are skipped anew close the gate, or a person approves them by name. */
    readonly newlySkipped: (typeof NEWLY_SKIPPED)[number];
  } | null;
  readonly ratchet: readonly { readonly name: string; readonly script: string; readonly max: number }[];
  readonly run: readonly string[];
  readonly approval: {
    readonly required: number;
    readonly timeoutMs: number | null;
    readonly onTimeout: "reject" | "pause";
  } | null;
}

export interface ResolvedFeature {
  readonly id: string;
  readonly description: string;
  readonly test: string;
  readonly testAfter: string | null;
  readonly category: string;
  readonly risk: (typeof FEATURE_RISKS)[number];
  readonly notes: string;
}

export interface ResolvedPhase {
  readonly phase: Phase;
  /** In the order of the file; `stepsInOrder` has the order in which they run. */
  readonly stepIds: readonly string[];
  readonly gate: ResolvedGate;
  /** A person opens the next phase. */
  readonly manual: boolean;
  readonly features: "from-baseline" | readonly ResolvedFeature[] | null;
}

type EnvValues = Readonly<Record<string, string | number | boolean>>;

function texts(...envs: readonly (EnvValues | undefined)[]): Record<string, string> {
  const entries = envs.flatMap((env) => Object.entries(env ?? {}));
  return Object.fromEntries(entries.map(([name, value]) => [name, String(value)]));
}

function ms(text: string | undefined): number | undefined {
  return text === undefined ? undefined : (parseDuration(text) ?? undefined);
}

function actionOf(step: SpecStep): StepAction {
  if (step.run !== undefined) return { kind: "run", script: step.run };
  if (step.agent !== undefined) return { kind: "agent", ...step.agent };
  return { kind: "survey", ignore: step.with?.ignore ?? [] };
}

function retryOf(spec: Spec, step: SpecStep): ResolvedRetry {
  const retry = { ...spec.defaults?.retry, ...step.retry };
  return {
    maxAttempts: retry["max-attempts"] ?? 1,
    backoffMs: ms(retry.backoff) ?? DEFAULT_BACKOFF_MS,
    feedback: retry.feedback ?? step.agent !== undefined,
  };
}

function resolvePlaced(spec: Spec, { phase, step }: PlacedStep): ResolvedStep {
  const defaults = spec.defaults ?? {};
  const idle = ms(step["idle-timeout"]) ?? ms(defaults["idle-timeout"]);
  return {
    id: step.id,
    phase,
    name: step.name ?? step.id,
    action: actionOf(step),
    needs: needsOf(step),
    condition: step.if === undefined ? null : String(step.if),
    env: texts(spec.env, defaults.env, step.env),
    workingDirectory: step["working-directory"] ?? ".",
    timeoutMs: ms(step.timeout) ?? ms(defaults.timeout) ?? DEFAULT_TIMEOUT_MS,
    idleTimeoutMs: idle ?? (step.agent === undefined ? null : DEFAULT_AGENT_IDLE_MS),
    retry: retryOf(spec, step),
    verify: listOf(step.verify),
    commit: step.commit ?? step.name ?? step.id,
    scope: { include: step.scope?.include ?? [], protect: step.scope?.protect ?? [] },
    report: step.report ?? null,
    cleanIgnored: step.clean === "all",
    continueOnError: step["continue-on-error"] ?? false,
    container: stepContainer(spec, step.container),
    outputs: step.outputs ?? null,
  };
}

/**
 * A step with its defaults applied.
 * @throws TowpathError `StepNotFound`
 */
export function resolveStep(spec: Spec, id: string): ResolvedStep {
  const placed = placedStep(spec, id);
  if (placed === undefined) throw new TowpathError("StepNotFound", `The spec has no step \`${id}\`.`);
  return resolvePlaced(spec, placed);
}

/** All steps with their defaults applied, in the order of the file: one pass over a spec of many steps. */
export function resolveSteps(spec: Spec): ResolvedStep[] {
  return placedSteps(spec).map((placed) => resolvePlaced(spec, placed));
}

/** The baseline with its defaults applied, or null where the spec has none. */
export function resolveBaseline(spec: Spec): ResolvedBaseline | null {
  const { baseline, defaults } = spec;
  if (baseline === undefined) return null;
  return {
    script: baseline.run,
    report: baseline.report,
    env: texts(spec.env, baseline.env),
    workingDirectory: baseline["working-directory"] ?? ".",
    timeoutMs: ms(baseline.timeout) ?? ms(defaults?.timeout) ?? DEFAULT_TIMEOUT_MS,
    idleTimeoutMs: ms(baseline["idle-timeout"]) ?? ms(defaults?.["idle-timeout"]) ?? null,
  };
}

export interface ResolvedGenerator {
  readonly script: string;
  /** null: Towpath's own. */
  readonly prompt: string | null;
  /** Relative to the output directory; null: stdout. */
  readonly document: string | null;
  readonly env: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly idleTimeoutMs: number | null;
}

/** What generates the requirements document, with its defaults applied; null: the built-in survey. */
export function resolveGenerator({ requirements, env, defaults }: Spec): ResolvedGenerator | null {
  if (requirements === undefined) return null;
  return {
    script: requirements.generate,
    prompt: requirements.prompt ?? null,
    document: requirements.document ?? null,
    env: texts(env, requirements.env),
    timeoutMs: ms(requirements.timeout) ?? ms(defaults?.timeout) ?? DEFAULT_TIMEOUT_MS,
    idleTimeoutMs:
      ms(requirements["idle-timeout"]) ?? ms(defaults?.["idle-timeout"]) ?? DEFAULT_AGENT_IDLE_MS,
  };
}

function resolveGate(spec: Spec, phase: Phase): ResolvedGate {
  const { tests, ratchet, run, approval } = spec.phases[phase]?.gate ?? {};
  return {
    tests:
      tests === undefined
        ? null
        : {
            identity: tests.identity ?? "classname-and-name",
            allow: tests.allow ?? [],
            newlySkipped: tests["newly-skipped"] ?? "refuse",
          },
    ratchet: (ratchet ?? []).map(({ name, run: script, max }) => ({ name, script, max })),
    run: listOf(run),
    approval:
      approval === undefined
        ? null
        : {
            required: approval.required ?? 1,
            timeoutMs: ms(approval.timeout) ?? null,
            onTimeout: approval["on-timeout"] ?? "pause",
          },
  };
}

function featuresOf(spec: Spec): ResolvedPhase["features"] {
  const features = spec.phases.guardrail?.features;
  if (features === undefined || features === "from-baseline") return features ?? null;
  return features.map((feature) => ({
    id: feature.id,
    description: feature.description,
    test: feature.test,
    testAfter: feature["test-after"] ?? null,
    category: feature.category ?? "",
    risk: feature.risk ?? "low",
    notes: feature.notes ?? "",
  }));
}

/** A phase with its defaults applied; one that the spec does not mention has no steps and an empty gate. */
export function resolvePhase(spec: Spec, phase: Phase): ResolvedPhase {
  return {
    phase,
    stepIds: (spec.phases[phase]?.steps ?? []).map(({ id }) => id),
    gate: resolveGate(spec, phase),
    manual: spec.phases[phase]?.manual ?? false,
    features: phase === "guardrail" ? featuresOf(spec) : null,
  };
}

/** All phases in their order. */
export function resolvePhases(spec: Spec): ResolvedPhase[] {
  return PHASES.map((phase) => resolvePhase(spec, phase));
}

/** The environment of commands that belong to no step: the workspace's setup, features' tests, gates. */
export function commandEnv(spec: Spec): Record<string, string> {
  return texts(spec.env);
}

export interface ResolvedWorkspace {
  /** Commit, branch or tag; null: the checkout's HEAD. */
  readonly base: string | null;
  readonly setup: string | null;
  readonly exclude: readonly string[];
  /** For `setup`. */
  readonly timeoutMs: number;
  readonly idleTimeoutMs: number | null;
}

/** The workspace with its defaults applied. */
export function resolveWorkspace({ workspace, defaults }: Spec): ResolvedWorkspace {
  return {
    base: workspace?.base ?? null,
    setup: workspace?.setup ?? null,
    exclude: workspace?.exclude ?? [],
    timeoutMs: ms(defaults?.timeout) ?? DEFAULT_TIMEOUT_MS,
    idleTimeoutMs: ms(defaults?.["idle-timeout"]) ?? null,
  };
}
