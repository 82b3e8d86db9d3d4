import { absenceText, type HostAbsence } from "../../model/hosts.js";
import type { Waiting } from "../../model/manifest.js";
import type { ProgressView } from "../../model/messages.js";
import { PHASES, type PhaseStatus } from "../../model/phases.js";
import { shortSha } from "../../model/requirements/documents.js";
import { testsText } from "../../model/tally.js";
import { printable } from "../printable.js";
import { adviceFor } from "../../model/advice.js";
import { adviceLines } from "./advice.js";
import { relativeTime } from "./time.js";

const MARKS = {
  pending: "[ ]",
  in_progress: "[>]",
  completed: "[x]",
  failed: "[!]",
} as const satisfies Record<PhaseStatus, string>;

/** How many steps are done and which one runs, in one short text. */
export function stepsText(view: ProgressView): string {
  const { completed, total, current } = view.steps;
  const counted = `${completed} of ${total} steps completed`;
  if (current === null) return total === 0 ? "no steps" : counted;
  const attempt = current.attempt > 1 ? `, attempt ${current.attempt}` : "";
  return `${counted}, now ${printable(current.id)}${attempt}`;
}

function testsLine({ before, now }: ProgressView["tests"]): string {
  if (before === null) return now === null ? "" : `now ${testsText(now)}`;
  return `before ${testsText(before)}${now === null ? "" : `; now ${testsText(now)}`}`;
}

function waitingLines(id: string, waiting: Waiting, now: Date): string[] {
  const lines = [
    "",
    `Waiting (${waiting.phase}), ${relativeTime(waiting.since, now)}: ${printable(waiting.message)}`,
  ];
  if (waiting.tree !== undefined && waiting.kind === "approval")
    lines.push(`  tree: ${printable(waiting.tree)}`);
  if (waiting.required !== undefined) {
    const by = (waiting.approved_by ?? []).map((name) => printable(name));
    lines.push(
      `  approvals: ${by.length} of ${waiting.required}${by.length > 0 ? ` (${by.join(", ")})` : ""}`,
    );
  }
  if (waiting.until !== undefined && waiting.until !== "") {
    lines.push(`  until: ${waiting.until} (${relativeTime(waiting.until, now)})`);
  }
  return [...lines, "You can:", ...adviceLines(adviceFor(id, waiting))];
}

/** What a migration waits for and what a person can do about it; no line where it waits for nobody. */
export function renderWaiting(view: Pick<ProgressView, "migrationId" | "waiting">, now: Date): string[] {
  return view.waiting === null ? [] : waitingLines(view.migrationId, view.waiting, now);
}

function absenceLines(absence: HostAbsence | null): string[] {
  return absence === null ? [] : ["", `Waits for its host: ${printable(absenceText(absence))}`];
}

function requirementsText({ requirements }: ProgressView): string {
  if (requirements === null || requirements === undefined) return "";
  const { source, sha, why } = requirements;
  return sha === null ? why : `${why} (${source ?? "unknown"}, ${shortSha(sha)})`;
}

/** The state of one migration, as `status` prints it. */
export function renderProgress(view: ProgressView, now: Date): string {
  const facts: [string, string][] = [
    ["name", view.name],
    ["target", view.target],
    ["status", `${view.status}, ${view.percent} %`],
    ["outcome", view.outcome ?? ""],
    ["phases", PHASES.map((phase) => `${MARKS[view.phases[phase]]} ${phase}`).join("  ")],
    ["steps", stepsText(view)],
    ["tests", testsLine(view.tests)],
    ["source", view.source],
    ["branch", view.branch],
    ["prd", requirementsText(view)],
    ["host", view.hostId],
    ["started", `${view.startedAt} (${relativeTime(view.startedAt, now)})`],
  ];
  const lines = facts
    .filter(([, value]) => value !== "")
    .map(([name, value]) => `  ${`${name}:`.padEnd(9)} ${printable(value)}`);
  return [
    printable(view.migrationId),
    ...lines,
    ...absenceLines(view.absentHost ?? null),
    ...renderWaiting(view, now),
  ].join("\n");
}
