import { parseCondition, referencesIn } from "../expressions.js";
import { type PlacedStep, needsOf, placedSteps } from "../order.js";
import { type SpecProblem, formatPath } from "../problems.js";
import { type ExpressionFault, type Reference, formatReference } from "../references.js";
import { unsafeHoles } from "../shell.js";
import { suggest } from "../suggest.js";
import { type TemplateValue, findHoles } from "../templates.js";
import { textsIn } from "../values.js";
import { type CheckContext, problemAt, problemInside } from "./context.js";
import { type TemplateField, templateFields } from "./fields.js";

/** Texts for people, and values that are data: braces in them mean nothing, and stay. */
const FREE_TEXT = /(?:^|\.)(?:description|notes|default|options\[\d+\]|allow\[\d+\]|category)$/;

/** The rules of `${{ }}`: what is named exists, may be named there, and is safe there. */
export function checkNames(context: CheckContext): SpecProblem[] {
  const fields = templateFields(context.spec);
  const names = new Names(context);
  return [...fields.flatMap((field) => names.check(field)), ...checkElsewhere(context, fields)];
}

/** Where nothing is replaced, `${{ }}` would silently stay what it is. */
function checkElsewhere(context: CheckContext, fields: readonly TemplateField[]): SpecProblem[] {
  const replaced = new Set(fields.map(({ path }) => formatPath(path)));
  return textsIn(context.spec)
    .filter(({ text }) => text.includes("${{"))
    .filter(({ path }) => !replaced.has(formatPath(path)) && !FREE_TEXT.test(formatPath(path)))
    .map(({ path }) =>
      problemInside(context, path, { needle: "${{", n: 0 }, "`${{ }}` is not replaced here"),
    );
}

class Names {
  private readonly steps: ReadonlyMap<string, PlacedStep>;
  private readonly params: readonly string[];

  constructor(private readonly context: CheckContext) {
    this.steps = new Map(placedSteps(context.spec).map((placed) => [placed.step.id, placed]));
    this.params = Object.keys(context.spec.params ?? {});
  }

  check(field: TemplateField): SpecProblem[] {
    if (field.kind === "condition") return this.checkCondition(field);
    const holes = findHoles(field.text);
    const unsafe = field.kind === "script" ? unsafeHoles(field.text) : [];
    return holes.flatMap((hole, n) => {
      const fault = hole.parsed.ok ? this.valueFault(hole.parsed.value, field) : hole.parsed;
      const here = unsafe.find((each) => each.hole.start === hole.start);
      const { message, suggestion } = fault ?? { message: here?.message, suggestion: undefined };
      if (message === undefined) return [];
      return [problemInside(this.context, field.path, { needle: "${{", n }, message, suggestion)];
    });
  }

  private valueFault(value: TemplateValue, field: TemplateField): ExpressionFault | null {
    return value.kind === "literal" ? null : this.faultOf(value.reference, field);
  }

  private checkCondition(field: TemplateField): SpecProblem[] {
    const parsed = parseCondition(field.text);
    if (!parsed.ok) return [problemAt(this.context, field.path, parsed.message, parsed.suggestion)];
    return referencesIn(parsed.expression).flatMap((reference) => {
      const fault = this.faultOf(reference, field);
      if (fault === null) return [];
      const inside = { needle: formatReference(reference), n: 0 };
      return [problemInside(this.context, field.path, inside, fault.message, fault.suggestion)];
    });
  }

  private faultOf(reference: Reference, field: TemplateField): ExpressionFault | null {
    if (!field.roots.includes(reference.root)) {
      const known = field.roots.map((root) => `\`${root}\``).join(", ");
      return { message: `\`${formatReference(reference)}\` is not known here, only ${known}` };
    }
    if (reference.root === "params") return unknown("parameter", reference, this.params);
    if (reference.root === "env") return this.envFault(reference, field);
    if (reference.root === "steps") return this.outputFault(reference, field);
    if (reference.root !== "attempt" || reference.name !== "feedback" || field.feedback) return null;
    return { message: "`attempt.feedback` stands only in an agent's prompt" };
  }

  private envFault(
    reference: Extract<Reference, { name: string }>,
    field: TemplateField,
  ): ExpressionFault | null {
    if (this.context.spec.secrets?.includes(reference.name)) {
      return {
        message: `\`${reference.name}\` is a secret: commands find it in their environment, texts never do`,
      };
    }
    return unknown("variable", reference, field.env);
  }

  private outputFault(
    reference: Extract<Reference, { root: "steps" }>,
    field: TemplateField,
  ): ExpressionFault | null {
    const { step: id, output } = reference;
    const source = this.steps.get(id)?.step;
    if (source === undefined)
      return withNearest(`there is no step \`${id}\``, suggest(id, this.steps.keys()));
    if (field.step === null || !this.comesBefore(id, field.step)) {
      const reader = field.step?.step.id ?? "";
      return {
        message: `step \`${reader}\` does not need \`${id}\`, so its outputs may not be there: add it to \`needs\``,
      };
    }
    if (source.uses !== undefined) return { message: `\`uses: ${source.uses}\` has no outputs` };
    if (source.outputs === undefined || source.outputs.includes(output)) return null;
    return withNearest(`step \`${id}\` has no output \`${output}\``, suggest(output, source.outputs));
  }

  /** Whether a step is certainly over when another starts, because that one needs it, directly or not. */
  private comesBefore(id: string, { step }: PlacedStep): boolean {
    const seen = new Set<string>([step.id]);
    const open = needsOf(step);
    for (const next of open) {
      if (next === id) return id !== step.id;
      const placed = seen.has(next) ? undefined : this.steps.get(next);
      seen.add(next);
      if (placed !== undefined) open.push(...needsOf(placed.step));
    }
    return false;
  }
}

function withNearest(message: string, suggestion: string | undefined): ExpressionFault {
  return suggestion === undefined ? { message } : { message, suggestion };
}

function unknown(
  what: string,
  { root, name }: Extract<Reference, { name: string }>,
  known: readonly string[],
): ExpressionFault | null {
  if (known.includes(name)) return null;
  const nearest = suggest(name, known);
  const there = known.length === 0 ? "the spec sets none here" : `there is ${known.join(", ")}`;
  return withNearest(
    `there is no ${what} \`${name}\`: ${there}`,
    nearest === undefined ? undefined : `${root}.${nearest}`,
  );
}
