import { TowpathError } from "./errors.js";
import { checkpointTag } from "./ids.js";
import { Json } from "./json.js";
import type { Approval, Manifest, StepRecord } from "./manifest.js";
import { ParamValue } from "./messages.js";
import { PHASES, type Phase } from "./phases.js";
import { canonicalJson, definitionOf, stepInputs } from "./spec/definition.js";
import { stepsInOrder } from "./spec/order.js";
import { resolveParams } from "./spec/params.js";
import type { ExpressionScope } from "./spec/references.js";
import {
  commandEnv,
  resolveBaseline,
  resolvePhase,
  resolveSteps,
  resolveWorkspace,
  type ResolvedStep,
} from "./spec/resolve.js";
import type { Spec } from "./spec/schema.js";
import { isStepDone } from "./step-summary.js";
import { stepRecord } from "./steps.js";
import { rewindPhases } from "./attempts.js";
import { forgetCheckpoints, statusOf } from "./transitions.js";

/** An edited spec for a migration that has begun. */
export interface SpecEdit {
  /** The spec that the migration has. */
  readonly before: Spec;
  readonly after: Spec;
  /** Digest of the new spec's text. */
  readonly digest: string;
  /** Parameters that were given with the new spec; the others keep their values. */
  readonly params: Readonly<Record<string, string>>;
  /** Somebody agreed to running the new spec's commands on the host. */
  readonly allowHost: boolean;
}

/** How a migration goes on with an edited spec. */
export interface Continuation {
  readonly manifest: Manifest;
  /** The phase that work goes on in. */
  readonly phase: Phase;
  /** The step that work goes on at; null: at the phase's gate. */
  readonly step: string | null;
  /** The commit behind the last step that is kept; null while there is no base commit. */
  readonly head: string | null;
  /** How many finished steps are kept. */
  readonly kept: number;
  /** Checkpoints of steps that are run again or are gone. */
  readonly forgotten: readonly string[];
}

/**
 * Takes an edited spec over. A finished step is kept when its definition, its inputs and all that ran before it are the
 * same; the first one that is not, and everything behind it, is pending again. A phase whose gate, features or baseline
 * changed is entered again, and what rested on it is run again.
 * @param undoneTag keeps the undone head reachable; null where nothing is undone
 * @throws TowpathError `Usage` where the new spec is another migration's: another target or base; or parameters that do
 * not fit
 */
export function continueWith(
  manifest: Manifest,
  edit: SpecEdit,
  undoneTag: string | null,
  now: Date,
): Continuation {
  requireSameMigration(manifest, edit);
  const options = optionsWith(manifest, edit);
  const scopes = {
    before: scopeOf(manifest, manifest.target_info.options),
    after: scopeOf(manifest, options),
  };
  const order = stepsInOrder(edit.after);
  const steps = new Map(resolveSteps(edit.after).map((step) => [step.id, step]));
  const remeasured = baselineOf(edit.before, scopes.before) !== baselineOf(edit.after, scopes.after);
  const unchanged = unchangedSteps(manifest, edit, { order, steps, scopes });
  const phase = phaseToGoOnWith(manifest, edit, { order, steps, unchanged, scopes, remeasured });
  const kept = order.slice(0, unchanged).filter((id) => !isBehind(steps.get(id)?.phase, phase));
  // A new baseline is measured on the untouched commit: nothing may lie on top of it.
  if (remeasured && kept.some((id) => stepRecord(manifest, id)?.commit !== undefined)) kept.length = 0;
  const target = kept.length === 0 && order.length > 0 ? earlier(phase, phaseOf(steps, order[0])) : phase;
  const forgotten = tagsWithout(manifest, new Set(kept));
  const head = headBehind(manifest, kept);
  const next = order[kept.length];
  const { baseline, prepared, ...rest } = forgetCheckpoints(manifest, forgotten);
  return {
    manifest: {
      ...rest,
      ...(baseline === undefined || remeasured ? {} : { baseline }),
      ...(prepared === undefined || setupOf(edit.before) !== setupOf(edit.after) ? {} : { prepared }),
      ...recordsOf(manifest, order, steps, new Set(kept)),
      target_info: { ...manifest.target_info, options },
      phases: rewindPhases(manifest, target, now),
      gates: Object.fromEntries(
        Object.entries(manifest.gates ?? {}).filter(
          ([gate]) => !isAt(gate, PHASES.slice(PHASES.indexOf(target))),
        ),
      ),
      approvals: (manifest.approvals ?? []).map((approval) => supersededFrom(target, approval)),
      ...(head === null ? {} : { head }),
      spec_digest: edit.digest,
      allow_host: edit.allowHost,
      lease: null,
      waiting_for: null,
      status: "in_progress",
      ...(undoneTag === null ? {} : { undone: [...(manifest.undone ?? []), undoneTag] }),
    },
    phase: target,
    step: next !== undefined && steps.get(next)?.phase === target ? next : null,
    head,
    kept: kept.length,
    forgotten,
  };
}

function requireSameMigration(manifest: Manifest, { before, after }: SpecEdit): void {
  const problems = [
    ...(after.target === manifest.target_info.target
      ? []
      : [`its target is ${after.target}, and the migration's is ${manifest.target_info.target}`]),
    ...(manifest.base_commit === undefined || resolveWorkspace(before).base === resolveWorkspace(after).base
      ? []
      : ["it changes workspace.base, and a migration keeps the commit that it began with"]),
  ];
  if (problems.length === 0) return;
  throw new TowpathError(
    "Usage",
    `The spec is no edit of the migration's: ${problems.join("; ")}. Start a new migration with it`,
    { details: { problems } },
  );
}

/** Values that were given at the start hold on, as far as the new spec still takes them. */
function optionsWith(manifest: Manifest, { after, params }: SpecEdit): Record<string, ParamValue> {
  const known: Record<string, string> = {};
  for (const [name, value] of Object.entries(paramsOf(manifest.target_info.options))) {
    if (Object.hasOwn(after.params ?? {}, name)) known[name] = String(value);
  }
  return resolveParams(after, { ...known, ...params });
}

function paramsOf(options: Readonly<Record<string, Json>>): Record<string, ParamValue> {
  const params: Record<string, ParamValue> = {};
  for (const [name, value] of Object.entries(options)) {
    const param = ParamValue.safeParse(value);
    if (param.success) params[name] = param.data;
  }
  return params;
}

/** All that a text of the spec may refer to, but for the environment, which every step has its own of. */
function scopeOf(manifest: Manifest, options: Readonly<Record<string, Json>>): Omit<ExpressionScope, "env"> {
  const outputs: Record<string, Record<string, string>> = {};
  for (const [id, record] of Object.entries(manifest.steps ?? {})) {
    if (record.outputs !== undefined) outputs[id] = record.outputs;
  }
  const { id, name = "", target_info } = manifest;
  return { params: paramsOf(options), migration: { id, name, target: target_info.target }, outputs };
}

interface Scopes {
  readonly before: Omit<ExpressionScope, "env">;
  readonly after: Omit<ExpressionScope, "env">;
}

interface Ordered {
  readonly order: readonly string[];
  readonly steps: ReadonlyMap<string, ResolvedStep>;
  readonly scopes: Scopes;
}

/** How many steps at the beginning of the order are finished and the same: each stands on the one before it. */
function unchangedSteps(
  manifest: Manifest,
  { before, after }: SpecEdit,
  { order, steps, scopes }: Ordered,
): number {
  const ran = manifest.step_order ?? [];
  const old = new Map(resolveSteps(before).map((step) => [step.id, step]));
  const first = order.findIndex((id, index) => {
    const [was, is, record] = [old.get(id), steps.get(id), stepRecord(manifest, id)];
    if (ran[index] !== id || was === undefined || is === undefined || record === undefined) return true;
    if (!isStepDone(record) || (record.tolerated === true && !is.continueOnError)) return true;
    return (
      definitionOf(before, was) !== definitionOf(after, is) ||
      stepInputs(was, { ...scopes.before, env: was.env }) !== stepInputs(is, { ...scopes.after, env: is.env })
    );
  });
  return first === -1 ? order.length : first;
}

interface Compared extends Ordered {
  /** How many steps at the beginning are unchanged. */
  readonly unchanged: number;
  readonly remeasured: boolean;
}

/** The earliest of: where the migration stands, the first changed step's phase, a phase that is left by other rules now. */
function phaseToGoOnWith(
  manifest: Manifest,
  { before, after }: SpecEdit,
  { order, steps, unchanged, scopes, remeasured }: Compared,
): Phase {
  const current = PHASES.find((phase) => statusOf(manifest, phase) !== "completed") ?? "verify";
  const ruled = PHASES.find(
    (phase) => ruleOf(before, phase, scopes.before) !== ruleOf(after, phase, scopes.after),
  );
  const phases = [
    current,
    ...(unchanged < order.length ? [phaseOf(steps, order[unchanged])] : []),
    ...(ruled === undefined ? [] : [ruled]),
    ...(remeasured ? ["guardrail" as const] : []),
  ];
  return phases.reduce(earlier);
}

/** What has to hold to leave a phase, as a text that is the same where the rule is. */
function ruleOf(spec: Spec, phase: Phase, { params }: Omit<ExpressionScope, "env">): string {
  const { gate, features } = resolvePhase(spec, phase);
  const identity =
    features === "from-baseline" ? resolvePhase(spec, "verify").gate.tests?.identity : undefined;
  const rule = comparable({ gate, features, identity });
  return comparable({
    rule,
    env: runsScripts(gate, features) ? commandEnv(spec) : {},
    params: mentioned(rule, params),
  });
}

function runsScripts(
  gate: { readonly run: readonly unknown[]; readonly ratchet: readonly unknown[] },
  features: unknown,
): boolean {
  return (
    gate.run.length > 0 || gate.ratchet.length > 0 || (features !== null && features !== "from-baseline")
  );
}

function baselineOf(spec: Spec, { params }: Omit<ExpressionScope, "env">): string {
  const baseline = resolveBaseline(spec);
  if (baseline === null) return "none";
  const { timeoutMs: _, idleTimeoutMs: __, ...measured } = baseline;
  const text = comparable(measured);
  return comparable({ text, params: mentioned(text, params) });
}

/** The parameters, for a text that refers to any; what it does not refer to cannot change it. */
function mentioned(text: string, params: Readonly<Record<string, ParamValue>>): Record<string, ParamValue> {
  return text.includes("${{") ? { ...params } : {};
}

function comparable(value: unknown): string {
  return canonicalJson(Json.parse(JSON.parse(JSON.stringify(value))));
}

function setupOf(spec: Spec): string {
  return comparable({ setup: resolveWorkspace(spec).setup, env: commandEnv(spec) });
}

function phaseOf(steps: ReadonlyMap<string, ResolvedStep>, id: string | undefined): Phase {
  return (id === undefined ? undefined : steps.get(id)?.phase) ?? "understand";
}

function earlier(one: Phase, other: Phase): Phase {
  return isBehind(one, other) ? other : one;
}

function isBehind(phase: Phase | undefined, other: Phase): boolean {
  return phase !== undefined && PHASES.indexOf(phase) > PHASES.indexOf(other);
}

function isAt(name: string, phases: readonly Phase[]): boolean {
  return phases.some((phase) => phase === name);
}

/** What was approved before was approved under other rules: it stays on record and counts no more. */
function supersededFrom(phase: Phase, approval: Approval): Approval {
  return isBehind(phase, approval.phase) ? approval : { ...approval, superseded: true };
}

function tagsWithout(manifest: Manifest, kept: ReadonlySet<string>): string[] {
  return Object.keys(manifest.steps ?? {})
    .filter((id) => !kept.has(id))
    .map((id) => checkpointTag(manifest.id, id))
    .filter((tag) => manifest.checkpoints.includes(tag));
}

function headBehind(manifest: Manifest, kept: readonly string[]): string | null {
  const last = kept.findLast((id) => stepRecord(manifest, id)?.commit !== undefined);
  const commit = last === undefined ? undefined : stepRecord(manifest, last)?.commit;
  return commit ?? manifest.base_commit ?? null;
}

/** Attempts of steps that are gone are remembered: a step that comes back goes on counting, so that no log is overwritten. */
function recordsOf(
  manifest: Manifest,
  order: readonly string[],
  resolved: ReadonlyMap<string, ResolvedStep>,
  kept: ReadonlySet<string>,
): Pick<Manifest, "steps" | "step_order" | "past_attempts"> {
  const past = new Map(Object.entries(manifest.past_attempts ?? {}));
  for (const [id, { attempts }] of Object.entries(manifest.steps ?? {})) past.set(id, attempts);
  const steps: Record<string, StepRecord> = {};
  for (const id of order) {
    const record = stepRecord(manifest, id);
    steps[id] =
      record !== undefined && kept.has(id) ? record : pending(phaseOf(resolved, id), past.get(id) ?? 0);
    past.delete(id);
  }
  return { steps, step_order: [...order], past_attempts: Object.fromEntries(past) };
}

function pending(phase: Phase, attempts: number): StepRecord {
  return { phase, status: "pending", attempts, started_at: "", completed_at: "", duration_ms: 0 };
}
