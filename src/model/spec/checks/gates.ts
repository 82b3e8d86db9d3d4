import { PHASES, type Phase } from "../../phases.js";
import type { SpecPath, SpecProblem } from "../problems.js";
import type { SpecGate } from "../schema.js";
import { type CheckContext, problemAt, problemAtKey, repeated } from "./context.js";

/** The rules of gates and of features, and what they need from the rest of the spec. */
export function checkGates(context: CheckContext): SpecProblem[] {
  return [...checkFeatures(context), ...PHASES.flatMap((phase) => checkGate(context, phase))];
}

function checkFeatures(context: CheckContext): SpecProblem[] {
  const features = context.spec.phases.guardrail?.features;
  const path = ["phases", "guardrail", "features"];
  if (features === undefined) return [];
  if (features !== "from-baseline") {
    return repeated(features.map(({ id }) => id)).map((index) =>
      problemAt(context, [...path, index, "id"], "there is already a feature of this id"),
    );
  }
  if (context.spec.baseline !== undefined) return [];
  return [problemAt(context, path, "`from-baseline` needs a `baseline` with a report")];
}

function checkGate(context: CheckContext, phase: Phase): SpecProblem[] {
  const gate = context.spec.phases[phase]?.gate;
  if (gate === undefined) return [];
  const path = ["phases", phase, "gate"];
  const ratchets = (gate.ratchet ?? []).map(({ name }) => name);
  return [
    ...checkTests(context, phase, gate),
    ...repeated(ratchets).map((index) =>
      problemAt(context, [...path, "ratchet", index, "name"], "there is already a ratchet of this name"),
    ),
    ...checkApproval(context, path, gate),
  ];
}

function checkTests(context: CheckContext, phase: Phase, gate: SpecGate): SpecProblem[] {
  if (gate.tests === undefined) return [];
  const path = ["phases", phase, "gate", "tests"];
  const problems: SpecProblem[] = [];
  if (context.spec.baseline === undefined) {
    problems.push(
      problemAtKey(context, path, "`tests` compares with the baseline, and the spec has no `baseline`"),
    );
  }
  const reports = (context.spec.phases[phase]?.steps ?? []).some(({ report }) => report !== undefined);
  if (!reports) {
    problems.push(
      problemAtKey(context, path, `\`tests\` needs a step with a \`report\` in \`phases.${phase}\``),
    );
  }
  return problems;
}

function checkApproval(context: CheckContext, path: SpecPath, { approval }: SpecGate): SpecProblem[] {
  if (approval?.["on-timeout"] === undefined || approval.timeout !== undefined) return [];
  return [problemAtKey(context, [...path, "approval", "on-timeout"], "`on-timeout` needs a `timeout`")];
}
