import type { ContainerSettings } from "../containers/settings.js";
import type { Json } from "../json.js";
import { parseCondition, referencesIn } from "./expressions.js";
import { type ExpressionScope, type Reference, formatReference, valueOf } from "./references.js";
import { type ResolvedStep, type StepAction, resolveStep } from "./resolve.js";
import type { Spec } from "./schema.js";
import { findHoles } from "./templates.js";

/** JSON with sorted keys and no spaces: equal values give equal texts. */
export function canonicalJson(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${canonicalJson(item)}`).join(",")}}`;
}

/**
 * All that determines what a finished step did, as canonical JSON for a digest. Left out is what only decides how
 * patiently it was tried (timeouts, retries, `continue-on-error`), what people call it, and `needs`, whose effect is the
 * tree that the step started from: a change there is no reason to run a finished step again.
 * @throws TowpathError `StepNotFound`
 */
export function stepDefinition(spec: Spec, id: string): string {
  return definitionOf(spec, resolveStep(spec, id));
}

/** The same for a step that is resolved already. */
export function definitionOf(spec: Pick<Spec, "workspace" | "secrets">, step: ResolvedStep): string {
  return canonicalJson({
    id: step.id,
    phase: step.phase,
    action: actionJson(step.action),
    condition: step.condition,
    env: { ...step.env },
    workingDirectory: step.workingDirectory,
    verify: [...step.verify],
    commit: step.commit,
    scope: { include: [...step.scope.include], protect: [...step.scope.protect] },
    report: step.report,
    cleanIgnored: step.cleanIgnored,
    outputs: step.outputs === null ? null : [...step.outputs],
    ...(step.container === null ? {} : { container: containerJson(step.container) }),
    exclude: [...(spec.workspace?.exclude ?? [])],
    secrets: [...(spec.secrets ?? [])].sort(),
  });
}

/** How much of the machine it may take is no part of what it does. */
function containerJson({ image, network, env, user }: ContainerSettings): Json {
  return { image, network, env: { ...env }, user };
}

function actionJson(action: StepAction): Json {
  return action.kind === "survey" ? { kind: "survey", ignore: [...action.ignore] } : { ...action };
}

function textsOf(step: ResolvedStep): string[] {
  const { action } = step;
  const own =
    action.kind === "run" ? [action.script] : action.kind === "agent" ? [action.command, action.prompt] : [];
  return [
    ...own,
    ...step.verify,
    step.commit,
    ...Object.values(step.env),
    ...Object.values(step.container?.env ?? {}),
  ];
}

function referencesOf(step: ResolvedStep): Reference[] {
  const inTexts = textsOf(step)
    .flatMap(findHoles)
    .flatMap(({ parsed }) =>
      parsed.ok && parsed.value.kind === "reference" ? [parsed.value.reference] : [],
    );
  const condition = step.condition === null ? null : parseCondition(step.condition);
  return condition?.ok === true ? [...inTexts, ...referencesIn(condition.expression)] : inTexts;
}

/**
 * The values that a step's definition refers to, as canonical JSON for a digest: parameters, facts of the migration,
 * variables, outputs of earlier steps. What differs with every attempt is no input.
 */
export function stepInputs(step: ResolvedStep, scope: ExpressionScope): string {
  const references = referencesOf(step).filter(({ root }) => root !== "attempt");
  const values = references.map(
    (reference) => [formatReference(reference), valueOf(reference, scope)] as const,
  );
  return canonicalJson(Object.fromEntries(values));
}
