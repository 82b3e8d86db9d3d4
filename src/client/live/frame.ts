import type { StepView } from "../../model/messages.js";
import { PHASES, type Phase } from "../../model/phases.js";
import { testsText } from "../../model/tally.js";
import { isTerminal } from "../../model/manifest.js";
import type { Snapshot } from "../migrations/events.js";
import { printable } from "../printable.js";
import { renderWaiting } from "../render/progress.js";
import { displayWidth, fit } from "../render/table.js";
import { duration } from "../render/time.js";
import { timeLeft, type KnownSteps } from "./time-left.js";

/** How a line looks where colours may be used. */
export type Look = "plain" | "strong" | "good" | "bad" | "running" | "faint";

export interface FrameLine {
  readonly text: string;
  readonly look: Look;
}

export interface FrameFacts {
  readonly snapshot: Snapshot;
  /** The last lines that the running command wrote, without what would move a cursor. */
  readonly output: readonly string[];
  /** What earlier runs tell of its steps; null where this machine does not know. */
  readonly known: KnownSteps | null;
  /** What keeps the view from being fresh, or null. */
  readonly trouble: string | null;
  readonly now: Date;
}

const PHASE_LOOKS = {
  pending: ["[ ]", "faint"],
  in_progress: ["[>]", "strong"],
  completed: ["[x]", "good"],
  failed: ["[!]", "bad"],
} as const;

const STEP_LOOKS = {
  pending: ["[ ]", "faint"],
  in_progress: ["[>]", "running"],
  completed: ["[x]", "good"],
  failed: ["[!]", "bad"],
  skipped: ["[-]", "faint"],
} as const;

/** What the steps keep at least, whatever else there is to show. */
const MIN_STEP_LINES = 3;

/**
 * A migration as a tree of at most `rows` lines of at most `columns` columns: phases, their steps, what the running
 * command writes, what is awaited. Where there is no room, older steps are left out first.
 */
export function renderFrame(facts: FrameFacts, size: { columns: number; rows: number }): FrameLine[] {
  const head = headLine(facts, size.columns);
  const output = outputLines(facts);
  const foot = footLines(facts, size.columns);
  const room = size.rows - 1 - PHASES.length - output.length - foot.length;
  const steps = newestSteps(facts, Math.max(MIN_STEP_LINES, room));
  const lines = [head, ...PHASES.flatMap((phase) => phaseLines(facts, phase, steps, output)), ...foot];
  return lines.slice(0, size.rows).map(({ text, look }) => ({ text: fit(text, size.columns), look }));
}

function line(text: string, look: Look = "plain"): FrameLine {
  return { text: printable(text), look };
}

function headLine({ snapshot: { progress, plan }, known, now }: FrameFacts, columns: number): FrameLine {
  const { name, target, status, percent, startedAt } = progress;
  const left = timeLeft(progress, plan, now, known);
  const times = [
    ...(isTerminal(status) ? [] : [duration(Math.max(0, now.getTime() - Date.parse(startedAt)))]),
    ...(left === null ? [] : [`about ${duration(left)} left`]),
  ];
  const state = [status.replace("_", " "), `${percent} %`, ...times].join(", ");
  const title = fit(printable(`${name} → ${target}`), Math.max(10, columns - displayWidth(state) - 2));
  return line(`${title}  ${state}`, "strong");
}

/** The newest steps that fit; of a phase whose steps do not all fit a line tells how many are left out. */
function newestSteps({ snapshot: { plan } }: FrameFacts, room: number): readonly StepView[] {
  const recent = [...plan.recent].sort((a, b) => PHASES.indexOf(a.phase) - PHASES.indexOf(b.phase));
  return recent.length <= room ? recent : recent.slice(recent.length - room);
}

function phaseLines(
  facts: FrameFacts,
  phase: Phase,
  steps: readonly StepView[],
  output: readonly FrameLine[],
): FrameLine[] {
  const { progress } = facts.snapshot;
  const [mark, look] = PHASE_LOOKS[progress.phases[phase]];
  const mine = steps.filter((step) => step.phase === phase);
  const runs = progress.phase === phase && !isTerminal(progress.status);
  const counted = runs ? `  (${progress.steps.completed} of ${progress.steps.total} steps done)` : "";
  const shown = mine.flatMap((step) => stepLines(facts, step, output));
  const outputHere = runs && progress.steps.current === null ? output : [];
  return [line(`${mark} ${phase}${counted}`, look), ...shown, ...outputHere];
}

function stepLines(facts: FrameFacts, step: StepView, output: readonly FrameLine[]): FrameLine[] {
  const [mark, look] = STEP_LOOKS[step.status];
  const { current } = facts.snapshot.progress.steps;
  const runs = current?.id === step.id;
  const since =
    runs && current.startedAt !== undefined ? facts.now.getTime() - Date.parse(current.startedAt) : 0;
  const took = runs ? since : step.durationMs;
  const remarks = [
    ...(step.attempts > 1 ? [`attempt ${step.attempts}`] : []),
    ...(took > 0 ? [duration(took)] : []),
    ...(step.commit === null ? [] : [step.commit.slice(0, 10)]),
    ...(step.note === "" ? [] : [step.note]),
  ];
  const remark = remarks.length === 0 ? "" : `  ${remarks.join(", ")}`;
  return [line(`    ${mark} ${step.id}${remark}`, look), ...(runs ? output : [])];
}

function outputLines({ snapshot, output }: FrameFacts): FrameLine[] {
  if (snapshot.progress.waiting !== null || isTerminal(snapshot.progress.status)) return [];
  return output.map((text) => line(`        │ ${text}`, "faint"));
}

function footLines({ snapshot: { progress }, trouble, now }: FrameFacts, columns: number): FrameLine[] {
  const { before, now: after } = progress.tests;
  const tests = [
    ...(before === null ? [] : [`before ${testsText(before)}`]),
    ...(after === null ? [] : [`now ${testsText(after)}`]),
  ];
  const [gap, what = "", ...advice] = renderWaiting(progress, now);
  return [
    ...(tests.length === 0 ? [] : [line(`tests: ${tests.join("; ")}`)]),
    ...(gap === undefined ? [] : [line(gap)]),
    ...wrap(printable(what), columns).map((text) => line(text, "bad")),
    ...advice.map((text) => line(text)),
    ...wrap(printable(trouble ?? ""), columns).map((text) => line(text, "bad")),
  ];
}

/** What is longer than this says no more. */
const MAX_WRAPPED_LINES = 4;

/** A text in lines that fit, broken between words where there are any; no line for no text. */
function wrap(text: string, columns: number): string[] {
  const lines: string[] = [];
  let rest = text;
  while (rest !== "" && lines.length < MAX_WRAPPED_LINES - 1) {
    if (displayWidth(rest) <= columns) break;
    const start = fit(rest, columns + 1).slice(0, -1);
    const space = start.lastIndexOf(" ");
    const end = space > columns / 2 ? space : start.length;
    lines.push(rest.slice(0, end));
    rest = rest.slice(end).trimStart();
  }
  return rest === "" ? lines : [...lines, rest];
}
