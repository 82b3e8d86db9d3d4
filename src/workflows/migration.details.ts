import { setCurrentDetails } from "@temporalio/workflow";
import type { Waiting } from "../model/manifest.js";
import type { MigrationInput, StepView } from "../model/messages.js";
import { PHASES } from "../model/phases.js";
import type { RequirementsView } from "../model/requirements/decision.js";
import { shortSha } from "../model/requirements/documents.js";
import type { MigrationState } from "./migration.state.js";

/** Shows the migration's state as Markdown on its page in the Temporal Web UI. */
export function describeMigration(input: MigrationInput, state: MigrationState): void {
  const lines = [
    `**${input.name}** → ${input.target} · ${state.status} · branch \`${state.workspace.branch}\``,
    "",
    ...(state.waiting ? waitingLines(input, state.waiting) : []),
    ...(state.requirements ? requirementsLines(state.requirements) : []),
    "| phase | status |",
    "| --- | --- |",
    ...PHASES.map((phase) => `| ${phase} | ${state.phases[phase]} |`),
    "",
    `Steps: ${state.completedSteps} of ${state.totalSteps} completed.`,
    ...(state.recentSteps.length > 0 ? stepTable(state.recentSteps) : []),
  ];
  setCurrentDetails(lines.join("\n"));
}

function waitingLines(input: MigrationInput, waiting: Waiting): string[] {
  return [
    `> waits: ${oneLine(waiting.message)}`,
    "",
    `\`towpath status ${input.migrationId}\` says what you can do.`,
    "",
  ];
}

function requirementsLines({ action, source, sha, why }: RequirementsView): string[] {
  const document = sha === null ? "none yet" : `${source ?? "unknown"}, \`${shortSha(sha)}\``;
  return [`Requirements: **${action}** (${document}): ${oneLine(why)}`, ""];
}

function stepTable(steps: readonly StepView[]): string[] {
  return [
    "",
    "| step | status | attempts | seconds | commit | note |",
    "| --- | --- | --- | --- | --- | --- |",
    ...steps.map((step) =>
      [
        "",
        step.id,
        step.status,
        step.attempts,
        (step.durationMs / 1000).toFixed(1),
        step.commit?.slice(0, 12) ?? "",
        oneLine(step.note),
        "",
      ]
        .join(" | ")
        .trim(),
    ),
  ];
}

/** Keeps text from a command's output from breaking the table around it. */
function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, " ").replaceAll("|", "\\|").slice(0, 200);
}
