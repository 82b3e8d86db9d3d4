import type { Feature } from "./features.js";
import type { Manifest, StepRecord } from "./manifest.js";
import { PHASES } from "./phases.js";
import { recordedSteps } from "./steps.js";

/**
 * The report of a completed migration: what was changed, what was run, what held, and who agreed. Everything in it is
 * from Towpath's own records.
 * @param head the commit that the branch ends on
 */
export function renderVerificationReport(
  manifest: Manifest,
  head: string,
  features: readonly Feature[],
): string {
  const base = manifest.base_commit ?? "";
  return [
    `# Verification report`,
    "",
    `- Migration: ${manifest.id}${manifest.name === undefined ? "" : ` (${manifest.name})`}`,
    `- Target: ${manifest.target_info.target}`,
    `- Source: ${manifest.source_info.url ?? manifest.source_info.path}`,
    `- Branch: ${manifest.branch ?? ""}`,
    `- From ${base} to ${head}`,
    `- See the changes: \`git diff ${base.slice(0, 12)} ${manifest.branch ?? head}\``,
    ...stepSection(manifest),
    ...featureSection(features),
    ...gateSection(manifest),
    ...approvalSection(manifest),
    "",
  ].join("\n");
}

function stepSection(manifest: Manifest): string[] {
  const steps = recordedSteps(manifest) ?? [];
  if (steps.length === 0) return [];
  return [
    "",
    "## Steps",
    "",
    "| step | phase | result | attempts | commit |",
    "| --- | --- | --- | --- | --- |",
    ...steps.map(
      ({ id, record }) =>
        `| ${id} | ${record.phase} | ${resultOf(record)} | ${record.attempts} | ${record.commit?.slice(0, 12) ?? ""} |`,
    ),
  ];
}

function resultOf(record: StepRecord): string {
  if (record.skipped !== undefined)
    return `skipped by ${cell(record.skipped.by)}: ${cell(record.skipped.reason)}`;
  if (record.tolerated === true) return `failed, tolerated: ${cell(record.failure?.message ?? "")}`;
  if (record.status !== "completed") return record.status;
  return record.commit === undefined ? "completed, changed nothing" : "completed";
}

function featureSection(features: readonly Feature[]): string[] {
  if (features.length === 0) return [];
  const passing = features.filter((feature) => feature.passes).length;
  const failing = features.filter((feature) => !feature.passes);
  return [
    "",
    "## Behaviours",
    "",
    `${passing} of ${features.length} characterised behaviours pass.`,
    ...failing.map((feature) => `- not passing: ${cell(feature.id)}`),
  ];
}

function gateSection(manifest: Manifest): string[] {
  const lines: string[] = [];
  for (const phase of PHASES) {
    const gate = manifest.gates?.[phase];
    if (gate === undefined) continue;
    lines.push("", `### ${phase}: ${gate.open ? "open" : "closed"}`, "");
    lines.push(`Checked at ${gate.checked_at} on tree ${gate.tree}.`);
    lines.push(...gate.evidence.map((line) => `- ${cell(line)}`));
    lines.push(...gate.refusals.map((line) => `- refused: ${cell(line)}`));
  }
  return lines.length === 0 ? [] : ["", "## Gates", ...lines];
}

function approvalSection(manifest: Manifest): string[] {
  const approvals = manifest.approvals ?? [];
  if (approvals.length === 0) return [];
  return [
    "",
    "## Approvals",
    "",
    "| phase | verdict | by | at | tree | comment |",
    "| --- | --- | --- | --- | --- | --- |",
    ...approvals.map(
      ({ phase, verdict, by, at, tree, comment, superseded }) =>
        `| ${phase} | ${verdict}${superseded === true ? ", superseded by an edited spec" : ""} | ${cell(by)} | ${at} | ${tree.slice(0, 12)} | ${cell(comment)} |`,
    ),
    ...approvals.flatMap(({ by, exceptions = [] }) =>
      exceptions.map((exception) => `- ${cell(by)} approved, newly skipped: ${cell(exception)}`),
    ),
  ];
}

/** Text from outside on one line, without what would end a table's cell. */
function cell(text: string): string {
  return text.replaceAll(/\s+/g, " ").replaceAll("|", "\\|");
}
