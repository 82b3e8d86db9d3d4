import type { PlanView, StepView } from "../../model/messages.js";
import { table, type Column } from "./table.js";
import { duration } from "./time.js";

const MARKS = {
  pending: "[ ]",
  in_progress: "[>]",
  completed: "[x]",
  failed: "[!]",
  skipped: "[-]",
} as const satisfies Record<StepView["status"], string>;

const COLUMNS: readonly Column[] = [
  { title: "" },
  { title: "STEP", minimum: 12 },
  { title: "PHASE" },
  { title: "ATTEMPTS", align: "right" },
  { title: "TOOK", align: "right" },
  { title: "COMMIT" },
  { title: "NOTE", minimum: 8 },
];

function stepRow(step: StepView): string[] {
  return [
    MARKS[step.status],
    step.id,
    step.phase,
    step.attempts === 0 ? "" : String(step.attempts),
    step.durationMs === 0 ? "" : duration(step.durationMs),
    step.commit?.slice(0, 10) ?? "",
    step.note,
  ];
}

/**
 * The steps of a migration, one a line.
 * @param complete whether `view.recent` holds the whole plan; otherwise it says where the rest is
 */
export function renderPlan(view: PlanView, complete: boolean, width?: number): string {
  const head = `${view.completed} of ${view.total} steps completed`;
  if (view.recent.length === 0) return complete ? head : `${head}; none has been started yet`;
  const note =
    complete || view.recent.length >= view.total
      ? []
      : [`These are the ${view.recent.length} newest; the whole plan is on the migration's host.`];
  return [table(COLUMNS, view.recent.map(stepRow), width), "", head, ...note].join("\n");
}
