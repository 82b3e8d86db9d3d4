import type { Json } from "./json.js";
import type { Plan, PlanStep, PlanStepStatus } from "./plan.js";

const MARKERS: Record<PlanStepStatus, string> = {
  pending: "[ ]",
  in_progress: "[>]",
  completed: "[x]",
  failed: "[!]",
};

const FILES_SHOWN = 5;

/** A plan as text for people, each step with its state. The text holds data as it is: escape it for a terminal. */
export function planSummary(plan: Plan): string {
  return [
    `Migration Plan v${plan.version}`,
    `Strategy: ${plan.strategy}`,
    `Rollback: ${plan.rollback_strategy}`,
    "",
    ...list("Constraints:", plan.constraints),
    `Steps (${plan.steps.length} total):`,
    "-".repeat(60),
    ...plan.steps.flatMap(stepLines),
    ...exitCriteria(plan.exit_criteria),
  ]
    .join("\n")
    .trimEnd();
}

function list(title: string, items: readonly string[]): string[] {
  return items.length === 0 ? [] : [title, ...items.map((item) => `  - ${item}`), ""];
}

function stepLines(step: PlanStep): string[] {
  const type = step.type === "" ? "" : `Type: ${step.type} | `;
  return [
    `  ${MARKERS[step.status]} ${step.id}${step.description === "" ? "" : `: ${step.description}`}`,
    `      ${type}Risk: ${step.risk}`,
    ...fileLines(step.files),
    ...(step.depends_on.length === 0 ? [] : [`      Depends on: ${step.depends_on.join(", ")}`]),
    ...(step.rollback_point ? ["      [Rollback point]"] : []),
    "",
  ];
}

function fileLines(files: readonly string[]): string[] {
  if (files.length === 0) return [];
  const more = files.length - FILES_SHOWN;
  return [
    `      Files: ${files.slice(0, FILES_SHOWN).join(", ")}`,
    ...(more > 0 ? [`             … and ${more} more`] : []),
  ];
}

function exitCriteria(criteria: Record<string, Json>): string[] {
  const entries = Object.entries(criteria);
  if (entries.length === 0) return [];
  return ["Exit Criteria:", ...entries.map(([key, value]) => `  ${key}: ${plainText(value)}`)];
}

function plainText(value: Json): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}
