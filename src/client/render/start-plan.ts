import type { PlannedGate, PlannedPhase, PlannedStep, StartPlan } from "../migrations/start-plan.js";
import { printable, printableBlock } from "../printable.js";

function indented(text: string, indent: string): string[] {
  return printableBlock(text.trimEnd())
    .split("\n")
    .map((line) => `${indent}${line}`);
}

/** A script behind its label: beside it where it is one line, below it where it is more. */
function script(label: string, text: string, indent: string): string[] {
  const lines = indented(text, "");
  if (lines.length === 1) return [`${indent}${label}: ${lines[0] ?? ""}`];
  return [`${indent}${label}:`, ...indented(text, `${indent}  | `)];
}

function stepRemarks(step: PlannedStep): string[] {
  return [
    ...(step.name === null ? [] : [printable(step.name)]),
    ...(step.needs.length === 0 ? [] : [`needs ${step.needs.join(", ")}`]),
    ...(step.if === null ? [] : [`if ${printable(String(step.if))}`]),
    ...(step.maxAttempts > 1 ? [`up to ${step.maxAttempts} attempts`] : []),
    ...(step.container === null ? [] : [`in a container of ${step.container}`]),
    ...(step.timeout === null ? [] : [`timeout ${step.timeout}`]),
    ...(step.continueOnError ? ["goes on when it fails"] : []),
  ];
}

function stepLines(step: PlannedStep, index: number): string[] {
  const remarks = stepRemarks(step);
  const indent = "       ";
  return [
    `  ${String(index + 1).padStart(3)}. ${step.id}${remarks.length === 0 ? "" : ` (${remarks.join(", ")})`}`,
    ...(step.command === null ? [`${indent}uses: ${step.kind}`] : script(step.kind, step.command, indent)),
    ...(step.prompt === null ? [] : script("prompt", step.prompt, indent)),
    ...step.verify.flatMap((command) => script("verify", command, indent)),
    ...(step.scope.include.length === 0
      ? []
      : [`${indent}may change: ${printable(step.scope.include.join(", "))}`]),
    ...(step.scope.protect.length === 0
      ? []
      : [`${indent}must not change: ${printable(step.scope.protect.join(", "))}`]),
    ...(step.report === null ? [] : [`${indent}report: ${printable(step.report)}`]),
  ];
}

function gateLines(gate: PlannedGate, manual: boolean): string[] {
  const approval = gate.approval;
  const timeout = approval?.timeout ?? null;
  const people = approval?.required === 1 ? "1 person" : `${approval?.required ?? 0} people`;
  return [
    `    - ${gate.files}`,
    ...(gate.tests === null ? [] : [`    - ${gate.tests}`]),
    ...gate.ratchet.flatMap((ratchet) =>
      script(`- ${printable(ratchet.name)} at most ${ratchet.max}`, ratchet.run, "    "),
    ),
    ...gate.run.flatMap((command) => script("- run", command, "    ")),
    ...(approval === null
      ? []
      : [
          `    - approved by ${people}${timeout === null ? "" : ` within ${timeout}, else ${approval.onTimeout}`}`,
        ]),
    ...(manual ? ["    - a person advances"] : []),
  ];
}

function featureLines(features: PlannedPhase["features"]): string[] {
  if (features === null) return [];
  if (features === "from-baseline") return ["  features: one for each test of the baseline"];
  return [
    "  features:",
    ...features.flatMap((feature) => [
      ...script(`- ${printable(feature.id)}`, feature.test, "    "),
      ...(feature.testAfter === null ? [] : script("after", feature.testAfter, "      ")),
    ]),
  ];
}

function phaseLines(phase: PlannedPhase): string[] {
  return [
    "",
    phase.phase,
    ...featureLines(phase.features),
    ...(phase.steps.length === 0
      ? ["  no steps"]
      : phase.steps.flatMap((step, index) => stepLines(step, index))),
    "  gate:",
    ...gateLines(phase.gate, phase.manual),
  ];
}

const HOST_TEXTS: Readonly<Record<StartPlan["host"], string>> = {
  "no commands": "no command runs on this host",
  "consent given": "commands run on this host; consent is given",
  "consent needed":
    "commands run on this host; consent is needed: --allow-host, or you are asked at the start",
};

function secretsText(plan: StartPlan): string {
  if (plan.secrets.length === 0) return "none";
  return plan.secrets.map(({ name, set }) => `${name} (${set ? "set here" : "not set here"})`).join(", ");
}

/** What a start would do, as `start --dry-run` prints it. */
export function renderStartPlan(plan: StartPlan): string {
  const params = Object.entries(plan.params).map(([name, value]) => `${name}=${String(value)}`);
  return [
    `${plan.name} → ${plan.target}`,
    `  source:   ${plan.source}`,
    `  base:     ${plan.base.ref} (${plan.base.commit?.slice(0, 12) ?? "as the remote has it then"})`,
    `  spec:     ${plan.spec ?? "none: hands-on, people write the artefacts and advance the phases"}`,
    `  params:   ${params.length === 0 ? "none" : params.join(", ")}`,
    `  host:     ${HOST_TEXTS[plan.host]}`,
    `  secrets:  ${secretsText(plan)}`,
  ]
    .map((line) => printable(line))
    .concat(
      ["", "preparation", "  worktree on a branch of its own"],
      plan.setup === null ? [] : script("setup", plan.setup, "  "),
      [
        `  requirements: ${plan.requirements.why}`,
        ...plan.requirements.notices.map((each) => `    ${each}`),
      ].map((line) => printable(line)),
      plan.baseline === null ? [] : script("baseline", plan.baseline.run, "  "),
      plan.phases.flatMap((phase) => phaseLines(phase)),
      ["", "Nothing was started and nothing was written."],
    )
    .join("\n");
}
