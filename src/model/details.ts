import { adviceFor } from "./advice.js";
import { absenceText, type HostAbsence } from "./hosts.js";
import { isTerminal, type Waiting } from "./manifest.js";
import type { GateView, ProgressView, StepView } from "./messages.js";
import { PHASES } from "./phases.js";
import type { RequirementsView } from "./requirements/decision.js";
import { shortSha } from "./requirements/documents.js";
import { testsText, type TestsView } from "./tally.js";

/** The newest steps are shown; the Web UI asks for the whole text again and again. */
const MAX_STEPS = 50;
const MAX_CELL = 200;
const MAX_MESSAGE = 2_000;

/** What a migration's page shows of it. */
export interface DetailedView {
  readonly progress: ProgressView;
  /** In the order in which they ran last. */
  readonly steps: readonly StepView[];
  readonly gates: readonly GateView[];
}

/** A migration as Markdown, for its page in the Temporal Web UI: what is awaited first, then how far it is. */
export function renderDetails({ progress, steps, gates }: DetailedView): string {
  const blocks = [
    headline(progress),
    ...absenceBlock(progress.absentHost ?? null),
    ...(progress.waiting === null ? [] : [waitingBlock(progress.migrationId, progress.waiting)]),
    ...endBlock(progress),
    ...requirementsBlock(progress.requirements ?? null),
    ...testsBlock(progress.tests),
    phaseTable(progress, gates),
    ...stepBlock(progress, steps.slice(-MAX_STEPS)),
  ];
  return blocks.join("\n\n");
}

/** What does not change about a migration, for the head of its page. */
export function renderStaticDetails(facts: {
  readonly migrationId: string;
  readonly source: string;
  readonly hostId: string;
  readonly startedBy: string;
  readonly spec: string | null;
}): string {
  const { migrationId, source, hostId, startedBy, spec } = facts;
  return [
    `- codebase: ${code(source)}`,
    `- host: ${code(hostId)}`,
    `- branch: ${code(`towpath/${migrationId}`)}`,
    `- spec: ${spec === null ? "none, hands-on" : code(spec)}`,
    `- started by: ${cell(startedBy)}`,
    `- follow it: ${code(`towpath watch ${migrationId}`)}`,
  ].join("\n");
}

function headline({ name, target, status, branch, percent }: ProgressView): string {
  const where = branch === "" ? "" : ` · branch ${code(branch)}`;
  return `**${cell(name)}** → ${cell(target)} · **${status.replace("_", " ")}** · ${percent} %${where}`;
}

function absenceBlock(absence: HostAbsence | null): string[] {
  return absence === null ? [] : [`### Waits for its host\n\n> ${cell(absenceText(absence), MAX_MESSAGE)}`];
}

function waitingBlock(id: string, waiting: Waiting): string {
  return [
    `### Waits for you: ${waiting.kind.replace("-", " ")} (${waiting.phase})`,
    "",
    `> ${cell(waiting.message, MAX_MESSAGE)}`,
    ...(waiting.until === undefined || waiting.until === "" ? [] : ["", `Until ${waiting.until}.`]),
    "",
    "| command | what it does |",
    "| --- | --- |",
    ...adviceFor(id, waiting).map(({ command, effect }) => row([code(command), cell(effect)])),
  ].join("\n");
}

/** How it ended, and what is left to do with it. */
function endBlock({ migrationId, status, outcome = null, branch }: ProgressView): string[] {
  if (outcome === null || !isTerminal(status)) return [];
  const look = `See what was changed: ${code(`towpath diff ${migrationId}`)}`;
  const merge = status === "completed" ? `, and merge ${code(branch)} as you merge any other branch` : "";
  return [
    `### It is ${status}: ${cell(outcome, MAX_MESSAGE)}`,
    ...(branch === "" ? [] : [`${look}${merge}.`]),
  ];
}

function requirementsBlock(view: RequirementsView | null): string[] {
  if (view === null) return [];
  const { action, source, sha, why } = view;
  const document = sha === null ? "none yet" : `${source ?? "unknown"}, ${code(shortSha(sha))}`;
  return [`Requirements: **${action}** (${document}): ${cell(why)}`];
}

function testsBlock({ before, now }: TestsView): string[] {
  const parts = [
    ...(before === null ? [] : [`before ${testsText(before)}`]),
    ...(now === null ? [] : [`now **${testsText(now)}**`]),
  ];
  return parts.length === 0 ? [] : [`Tests: ${parts.join(" · ")}`];
}

function phaseTable({ phases }: ProgressView, gates: readonly GateView[]): string {
  const rows = PHASES.map((phase) => {
    const gate = gates.find((candidate) => candidate.phase === phase);
    return row([phase, phases[phase].replace("_", " "), gateText(gate)]);
  });
  return ["| phase | status | gate |", "| --- | --- | --- |", ...rows].join("\n");
}

function gateText(gate: GateView | undefined): string {
  if (gate === undefined) return "";
  return gate.open ? "open" : `closed: ${cell(gate.refusals.join("; "))}`;
}

function stepBlock({ steps: counts }: ProgressView, steps: readonly StepView[]): string[] {
  const counted = `Steps: ${counts.completed} of ${counts.total} done${runningText(counts.current)}.`;
  if (steps.length === 0) return [counted];
  const left = counts.completed > steps.length ? " These are the newest." : "";
  const table = [
    "| step | phase | status | attempts | took | commit | note |",
    "| --- | --- | --- | --- | --- | --- | --- |",
    ...steps.map(stepRow),
  ];
  return [counted + left, table.join("\n")];
}

function runningText(current: ProgressView["steps"]["current"]): string {
  if (current === null) return "";
  const since = current.startedAt === undefined ? "" : ` since ${current.startedAt.slice(11, 19)} UTC`;
  return `; ${code(current.id)} runs${since} (attempt ${current.attempt})`;
}

function stepRow(step: StepView): string {
  const took = step.durationMs === 0 ? "" : `${(step.durationMs / 1000).toFixed(1)} s`;
  const commit = step.commit === null ? "" : code(step.commit.slice(0, 12));
  const status = step.status.replace("_", " ");
  return row([code(step.id), step.phase, status, String(step.attempts), took, commit, cell(step.note)]);
}

function row(cells: readonly string[]): string {
  return `| ${cells.join(" | ")} |`;
}

/** Text from outside on one line: it must neither end the table's cell nor become markup. */
function cell(text: string, longest = MAX_CELL): string {
  const line = text.replaceAll(/\s+/g, " ").trim();
  const cut = line.length > longest ? `${line.slice(0, longest - 1)}…` : line;
  return cut.replaceAll(/[\\`*_{}[\]<>|~#]/g, (character) => `\\${character}`);
}

/** The same as code: nothing in it is markup but the backtick, and the bar of a table. */
function code(text: string): string {
  return `\`${text.replaceAll(/\s+/g, " ").replaceAll("`", "'").replaceAll("|", "\\|")}\``;
}
