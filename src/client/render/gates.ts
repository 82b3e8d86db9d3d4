import { PHASES, type Phase, type PhaseStatus } from "../../model/phases.js";
import { printable } from "../printable.js";
import { relativeTime } from "./time.js";

/** What is known of one phase's gate. */
export interface GateReport {
  readonly phase: Phase;
  /** null: it has not been checked yet. */
  readonly open: boolean | null;
  readonly refusals: readonly string[];
  /** What was looked at and held; only the host's own record has it. */
  readonly evidence: readonly string[];
  readonly tree: string;
  /** ISO time of the check; "" where it is not known. */
  readonly checkedAt: string;
  readonly approvals: readonly GateApproval[];
}

export interface GateApproval {
  readonly verdict: "approved" | "rejected";
  readonly by: string;
  readonly at: string;
  readonly comment: string;
  readonly tree: string;
}

function approvalLine(approval: GateApproval, now: Date): string {
  const comment = approval.comment === "" ? "" : `: ${printable(approval.comment)}`;
  const when = relativeTime(approval.at, now);
  const tree = printable(approval.tree.slice(0, 10));
  return `    ${approval.verdict} by ${printable(approval.by)} ${when} (tree ${tree})${comment}`;
}

function gateLines(gate: GateReport, phaseStatus: PhaseStatus, now: Date): string[] {
  if (gate.open === null) return [`${gate.phase} (${phaseStatus}): not checked yet`];
  const when = gate.checkedAt === "" ? "" : `, checked ${relativeTime(gate.checkedAt, now)}`;
  const tree = gate.tree === "" ? "" : `, tree ${printable(gate.tree.slice(0, 10))}`;
  return [
    `${gate.phase} (${phaseStatus}): ${gate.open ? "open" : "closed"}${when}${tree}`,
    ...gate.refusals.map((refusal) => `  [!] ${printable(refusal)}`),
    ...gate.evidence.map((evidence) => `  [x] ${printable(evidence)}`),
    ...gate.approvals.map((approval) => approvalLine(approval, now)),
  ];
}

/** What the last check of each gate found, in the order of the phases. */
export function renderGates(
  gates: readonly GateReport[],
  phases: Readonly<Record<Phase, PhaseStatus>>,
  now: Date,
): string {
  return PHASES.flatMap((phase) => {
    const gate = gates.find((candidate) => candidate.phase === phase);
    const known = gate ?? {
      phase,
      open: null,
      refusals: [],
      evidence: [],
      tree: "",
      checkedAt: "",
      approvals: [],
    };
    return gateLines(known, phases[phase], now);
  }).join("\n");
}
