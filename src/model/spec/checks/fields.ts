import { PHASES, type Phase } from "../../phases.js";
import { type PlacedStep, placedSteps } from "../order.js";
import type { SpecPath } from "../problems.js";
import type { Reference } from "../references.js";
import type { Spec, SpecContainer, SpecFeature, SpecStep } from "../schema.js";
import { stepPath } from "./steps.js";

export type Root = Reference["root"];

/** A text of the spec in which `${{ }}` is replaced, and what may stand there. */
export interface TemplateField {
  readonly path: SpecPath;
  readonly text: string;
  /** A script takes values through variables, a condition is one expression, a text is filled. */
  readonly kind: "script" | "text" | "condition";
  readonly roots: readonly Root[];
  /** Names that `env.` may name here. */
  readonly env: readonly string[];
  /** Only a prompt is told what went wrong before. */
  readonly feedback: boolean;
  readonly step: PlacedStep | null;
}

type Env = Readonly<Record<string, string | number | boolean>>;
type Rest = Omit<TemplateField, "path" | "text">;

const FIXED: readonly Root[] = ["params", "migration"];
const ANYWHERE: readonly Root[] = ["params", "env", "migration"];
const IN_ATTEMPT: readonly Root[] = [...ANYWHERE, "steps", "attempt"];

function envFields(path: SpecPath, env: Env | undefined, rest: Partial<Rest> = {}): TemplateField[] {
  return Object.entries(env ?? {}).flatMap(([name, value]) =>
    typeof value === "string"
      ? [
          {
            path: [...path, name],
            text: value,
            kind: "text",
            roots: FIXED,
            env: [],
            feedback: false,
            step: null,
            ...rest,
          },
        ]
      : [],
  );
}

function script(path: SpecPath, text: string | undefined, rest: Partial<Rest>): TemplateField[] {
  if (text === undefined) return [];
  return [{ path, text, kind: "script", roots: ANYWHERE, env: [], feedback: false, step: null, ...rest }];
}

function scripts(
  path: SpecPath,
  value: string | readonly string[] | undefined,
  rest: Partial<Rest>,
): TemplateField[] {
  if (typeof value === "string") return script(path, value, rest);
  return (value ?? []).flatMap((text, index) => script([...path, index], text, rest));
}

function containerEnv(container: SpecContainer | undefined): Env | undefined {
  return typeof container === "object" ? container.env : undefined;
}

/** Every text of a spec in which names are replaced. */
export function templateFields(spec: Spec): TemplateField[] {
  const own = { env: Object.keys(spec.env ?? {}) };
  const ofBaseline = { env: [...own.env, ...Object.keys(spec.baseline?.env ?? {})] };
  return [
    ...envFields(["env"], spec.env),
    ...envFields(["defaults", "env"], spec.defaults?.env),
    ...envFields(["defaults", "container", "env"], containerEnv(spec.defaults?.container)),
    ...script(["workspace", "setup"], spec.workspace?.setup, own),
    ...script(["baseline", "run"], spec.baseline?.run, ofBaseline),
    ...envFields(["baseline", "env"], spec.baseline?.env),
    ...generatorFields(spec),
    ...featureFields(spec, own),
    ...PHASES.flatMap((phase) => gateFields(spec, phase, own)),
    ...placedSteps(spec).flatMap((placed) => stepFields(spec, placed)),
  ];
}

function generatorFields({ env, requirements }: Spec): TemplateField[] {
  const path = ["requirements"];
  const known = { env: [env, requirements?.env].flatMap((each) => Object.keys(each ?? {})) };
  const text: Rest = { kind: "text", roots: ANYWHERE, feedback: false, step: null, ...known };
  return [
    ...script([...path, "generate"], requirements?.generate, known),
    ...oneField([...path, "prompt"], requirements?.prompt, text),
    ...envFields([...path, "env"], requirements?.env),
  ];
}

function featureFields(spec: Spec, rest: Partial<Rest>): TemplateField[] {
  const features = spec.phases.guardrail?.features;
  if (features === undefined || features === "from-baseline") return [];
  return features.flatMap((feature, index) =>
    ofFeature(feature, ["phases", "guardrail", "features", index], rest),
  );
}

function ofFeature(feature: SpecFeature, path: SpecPath, rest: Partial<Rest>): TemplateField[] {
  return [
    ...script([...path, "test"], feature.test, rest),
    ...script([...path, "test-after"], feature["test-after"], rest),
  ];
}

function gateFields(spec: Spec, phase: Phase, rest: Partial<Rest>): TemplateField[] {
  const gate = spec.phases[phase]?.gate;
  const path = ["phases", phase, "gate"];
  return [
    ...(gate?.ratchet ?? []).flatMap(({ run }, index) =>
      script([...path, "ratchet", index, "run"], run, rest),
    ),
    ...scripts([...path, "run"], gate?.run, rest),
  ];
}

function stepFields(spec: Spec, placed: PlacedStep): TemplateField[] {
  const { step } = placed;
  const path = stepPath(placed);
  const env = [spec.env, spec.defaults?.env, step.env].flatMap((each) => Object.keys(each ?? {}));
  const command = { roots: IN_ATTEMPT, step: placed, env };
  const text: Rest = { ...command, kind: "text", feedback: false };
  return [
    ...script([...path, "run"], step.run, command),
    ...script([...path, "agent", "command"], step.agent?.command, command),
    ...scripts([...path, "verify"], step.verify, command),
    ...envFields([...path, "env"], step.env, { roots: [...FIXED, "steps", "attempt"], step: placed }),
    ...envFields([...path, "container", "env"], containerEnv(step.container), {
      roots: [...FIXED, "steps", "attempt"],
      step: placed,
    }),
    ...oneField([...path, "agent", "prompt"], step.agent?.prompt, { ...text, feedback: true }),
    ...oneField([...path, "commit"], step.commit, text),
    ...conditionField(path, step, { ...text, kind: "condition", roots: [...ANYWHERE, "steps"] }),
  ];
}

function oneField(path: SpecPath, text: string | undefined, rest: Rest): TemplateField[] {
  return text === undefined ? [] : [{ path, text, ...rest }];
}

function conditionField(path: SpecPath, step: SpecStep, rest: Rest): TemplateField[] {
  return oneField([...path, "if"], typeof step.if === "string" ? step.if : undefined, rest);
}
