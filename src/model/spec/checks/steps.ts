import { defaultContainer } from "../../containers/settings.js";
import { PHASES } from "../../phases.js";
import { type PlacedStep, needsOf, placedSteps } from "../order.js";
import type { SpecPath, SpecProblem } from "../problems.js";
import { suggest } from "../suggest.js";
import { type CheckContext, problemAt, problemAtKey, repeated } from "./context.js";

/** Where a step stands in the file. */
export function stepPath({ phase, index }: PlacedStep): SpecPath {
  return ["phases", phase, "steps", index];
}

/** The rules of steps: ids, what they do, what they need. */
export function checkSteps(context: CheckContext): SpecProblem[] {
  const steps = placedSteps(context.spec);
  return [
    ...checkMigrateHasSteps(context),
    ...checkIds(context, steps),
    ...steps.flatMap((placed) => [
      ...checkAction(context, placed),
      ...checkOwnNames(context, placed),
      ...checkContainer(context, placed),
    ]),
    ...checkDefaultContainer(context),
    ...checkNeeds(context, steps),
    ...checkCycles(context, steps),
  ];
}

function checkMigrateHasSteps(context: CheckContext): SpecProblem[] {
  if ((context.spec.phases.migrate?.steps ?? []).length > 0) return [];
  return [
    problemAtKey(
      context,
      ["phases", "migrate"],
      "`phases.migrate` needs at least one step: a plan without is refused",
    ),
  ];
}

function checkIds(context: CheckContext, steps: readonly PlacedStep[]): SpecProblem[] {
  const first = new Map<string, string>();
  return steps.flatMap((placed) => {
    const { id } = placed.step;
    const before = first.get(id.toLowerCase());
    first.set(id.toLowerCase(), before ?? id);
    if (before === undefined) return [];
    const message =
      before === id
        ? `there is already a step \`${id}\`: ids are unique over all phases`
        : `the ids \`${before}\` and \`${id}\` differ only in case, which some file systems do not tell apart`;
    return [problemAt(context, [...stepPath(placed), "id"], message)];
  });
}

const SURVEY_IGNORES = [
  "commit",
  "scope",
  "report",
  "clean",
  "working-directory",
  "idle-timeout",
  "outputs",
  "container",
] as const;

function checkAction(context: CheckContext, placed: PlacedStep): SpecProblem[] {
  const { step } = placed;
  const path = stepPath(placed);
  const actions = (["run", "agent", "uses"] as const).filter((key) => step[key] !== undefined);
  if (actions.length !== 1) {
    const found =
      actions.length === 0 ? "it has none" : `it has ${actions.map((key) => `\`${key}\``).join(" and ")}`;
    const message = `step \`${step.id}\` needs exactly one of \`run\`, \`agent\` and \`uses\`: ${found}`;
    return [problemAt(context, path, message)];
  }
  if (step.uses === undefined) {
    return step.with === undefined
      ? []
      : [problemAtKey(context, [...path, "with"], "`with` belongs to `uses`")];
  }
  return SURVEY_IGNORES.filter((key) => step[key] !== undefined).map((key) =>
    problemAtKey(
      context,
      [...path, key],
      `\`${key}\` has no effect on \`uses: ${step.uses}\`, which leaves the code alone`,
    ),
  );
}

function checkOwnNames(context: CheckContext, placed: PlacedStep): SpecProblem[] {
  const { step } = placed;
  const path = stepPath(placed);
  const problems = repeated(step.outputs ?? []).map((index) =>
    problemAt(context, [...path, "outputs", index], "this output is listed twice"),
  );
  if (step.needs !== undefined && step.depends_on !== undefined) {
    const message = "`depends_on` is another word for `needs`: write one of them";
    problems.push(problemAtKey(context, [...path, "depends_on"], message));
  }
  return problems;
}

function checkContainer(context: CheckContext, placed: PlacedStep): SpecProblem[] {
  const { container } = placed.step;
  if (typeof container !== "object" || container.image !== undefined) return [];
  if (defaultContainer(context.spec) !== null) return [];
  const message = "this container needs an `image`: `defaults.container` names none";
  return [problemAt(context, [...stepPath(placed), "container"], message)];
}

function checkDefaultContainer(context: CheckContext): SpecProblem[] {
  const container = context.spec.defaults?.container;
  if (typeof container !== "object" || container.image !== undefined) return [];
  return [problemAt(context, ["defaults", "container"], "this container needs an `image`")];
}

function needPath(placed: PlacedStep, index: number): SpecPath {
  const { step } = placed;
  const key = step.needs === undefined ? "depends_on" : "needs";
  return typeof step[key] === "string" ? [...stepPath(placed), key] : [...stepPath(placed), key, index];
}

function checkNeeds(context: CheckContext, steps: readonly PlacedStep[]): SpecProblem[] {
  const known = new Map(steps.map((placed) => [placed.step.id, placed]));
  return steps.flatMap((placed) => {
    const needs = needsOf(placed.step);
    const twice = repeated(needs).map((index) =>
      problemAt(context, needPath(placed, index), "this step is listed twice"),
    );
    return [...twice, ...needs.flatMap((id, index) => checkNeed(context, placed, { id, index, known }))];
  });
}

interface Need {
  readonly id: string;
  readonly index: number;
  readonly known: ReadonlyMap<string, PlacedStep>;
}

function checkNeed(context: CheckContext, placed: PlacedStep, { id, index, known }: Need): SpecProblem[] {
  const path = needPath(placed, index);
  const needed = known.get(id);
  if (needed === undefined) {
    return [problemAt(context, path, `there is no step \`${id}\``, suggest(id, known.keys()))];
  }
  if (PHASES.indexOf(needed.phase) > PHASES.indexOf(placed.phase)) {
    const message = `\`${id}\` stands in the later phase \`${needed.phase}\`: a step needs steps of its own phase, or of earlier ones`;
    return [problemAt(context, path, message)];
  }
  return [];
}

/** Names each circle once, at its first step in the file. */
function checkCycles(context: CheckContext, steps: readonly PlacedStep[]): SpecProblem[] {
  const next = unsettled(steps);
  const done = new Set<string>();
  return steps.flatMap((placed) => {
    const circle = followToCircle(placed.step.id, next, done);
    if (circle.length === 0) return [];
    const first = steps.find(({ step }) => circle.includes(step.id)) ?? placed;
    const at = circle.indexOf(first.step.id);
    const shown = [...circle.slice(at), ...circle.slice(0, at), first.step.id].join(" → ");
    const message = `these steps need each other in a circle: ${shown}`;
    const key = first.step.needs === undefined ? "depends_on" : "needs";
    return [problemAt(context, [...stepPath(first), key], message)];
  });
}

/** Steps that no order can serve, each with one of its needs that is such a step too. */
function unsettled(steps: readonly PlacedStep[]): Map<string, string> {
  const ids = new Set(steps.map(({ step }) => step.id));
  const open = new Map(
    steps.map(({ step }) => [step.id, new Set(needsOf(step).filter((id) => ids.has(id)))]),
  );
  const dependents = new Map<string, string[]>();
  for (const [id, needs] of open)
    for (const need of needs) dependents.set(need, [...(dependents.get(need) ?? []), id]);
  const free = [...open].flatMap(([id, needs]) => (needs.size === 0 ? [id] : []));
  for (let id = free.pop(); id !== undefined; id = free.pop()) {
    open.delete(id);
    for (const dependent of dependents.get(id) ?? []) {
      const needs = open.get(dependent);
      needs?.delete(id);
      if (needs?.size === 0) free.push(dependent);
    }
  }
  return new Map([...open].flatMap(([id, needs]) => [...needs].slice(0, 1).map((need) => [id, need])));
}

function followToCircle(start: string, next: ReadonlyMap<string, string>, done: Set<string>): string[] {
  const path: string[] = [];
  const place = new Map<string, number>();
  for (let id: string | undefined = start; id !== undefined && !done.has(id); id = next.get(id)) {
    const seen = place.get(id);
    if (seen !== undefined) {
      for (const each of path) done.add(each);
      return path.slice(seen);
    }
    place.set(id, path.length);
    path.push(id);
  }
  for (const each of path) done.add(each);
  return [];
}
