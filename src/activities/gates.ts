import type { Worktree } from "../adapters/git/places.js";
import type { Pristine } from "../adapters/git/pristine.js";
import { treeOf } from "../adapters/git/repository.js";
import { undo } from "../adapters/git/undo.js";
import { succeeded } from "../model/command.js";
import { headOf, type GateRecord, type Manifest } from "../model/manifest.js";
import { compareReports, judgeNoNewFailures } from "../model/reports/compare.js";
import { type ResolvedGate, resolvePhase } from "../model/spec/resolve.js";
import { ratchetCount } from "../model/ratchet.js";
import { recordedSteps } from "../model/steps.js";
import { clearOutDirectory, failureLine } from "./commands.js";
import type { GateResult, PhaseOperation } from "./contract.js";
import { projectPlanFile } from "./decisions.js";
import { characterise, verifyFeatures } from "./features.js";
import {
  fileName,
  type Finding,
  GATE_LIMITS,
  type GateContext,
  NOTHING,
  runGateScript,
} from "./gate-context.js";
import { execution, heartbeating } from "./heartbeat.js";
import { type Host, openSpecMigration, type SpecMigration } from "./host.js";
import { confirmed, rememberWorktree, takeKnownWorktree } from "./known-worktrees.js";
import { publishBranch } from "./remote.js";
import { loadBaseline, loadReport, type StoredReport } from "./reports.js";
import { cleanWorktree, openWorktree, refuseDuringStep, standing } from "./workspace.js";

const MAX_REFUSALS = 20;
const MAX_EXCEPTIONS = 200;
const MAX_REFUSAL_TEXT = 1_000;

/**
 * Checks a gate against the committed tree, by running what there is to run: claims in files count for nothing. What
 * the commands change in the worktree is thrown away.
 */
export function checkGate(host: Host, input: PhaseOperation): Promise<GateResult> {
  return heartbeating(async (signal) => {
    const migration = await openSpecMigration(host, input.migrationId);
    const { gate } = resolvePhase(migration.spec, input.phase);
    refuseDuringStep(migration.manifest);
    const { worktree, pristine } = await cleanedWorktree(host, migration, input.operation, signal);
    const commit = headOf(migration.manifest);
    const tree = await treeOf(worktree, commit, signal);
    const check = (migration.manifest.gates?.[input.phase]?.check ?? 0) + 1;
    const guard = standing(host, migration.id, { lease: migration.manifest.lease ?? null, head: commit });
    const context = { host, migration, phase: input.phase, worktree, tree, check, guard, signal };
    await clearOutDirectory(migration, { owner: `gate-${input.phase}`, attempt: check });
    const findings = await findAll(context, gate);
    const left = await leaveClean(context, pristine);
    // Whoever is to approve it can fetch it.
    await publishBranch(host, migration.manifest, signal);
    const { manifest, record } = await recordGate(context, input.operation, findings);
    rememberWorktree(host, manifest, worktree, left);
    const { open, refusals, exceptions } = record;
    const answer = { open, refusals, tree: record.tree, approval: approvalRule(gate, exceptions) };
    if (exceptions.length === 0) return answer;
    return { ...answer, exceptions: { count: exceptions.length, named: exceptions.slice(0, MAX_REFUSALS) } };
  });
}

/** The worktree as the commit says. @returns it, and what is known of it */
async function cleanedWorktree(
  host: Host,
  migration: SpecMigration,
  operation: string,
  signal: AbortSignal,
): Promise<{ readonly worktree: Worktree; readonly pristine: Pristine | null }> {
  // What another worker ran for a gate before it was lost may run on, and no record tells of it.
  const known = execution() > 1 ? null : await takeKnownWorktree(host, migration, signal);
  // What a person did there in the last seconds would be thrown away with what the gate's commands leave.
  const found = known && (await confirmed(known, migration.exclude, signal));
  if (found !== null) return found;
  const worktree = await openWorktree(host, migration.manifest, signal);
  return { worktree, pristine: await cleanWorktree(host, migration, worktree, operation, signal) };
}

/** Throws away what the commands left, if they left anything. @returns what is known of the worktree then */
async function leaveClean(
  { migration, worktree, guard, signal }: GateContext,
  pristine: Pristine | null,
): Promise<Pristine | null> {
  const { exclude, manifest } = migration;
  await guard();
  const left = pristine && (await confirmed({ worktree, pristine }, exclude, signal));
  return left?.pristine ?? undo({ worktree, commit: headOf(manifest), exclude, guard });
}

/** Exceptions need a person, also where the spec asks for nobody otherwise. */
function approvalRule(gate: ResolvedGate, exceptions: readonly string[]): GateResult["approval"] {
  if (gate.approval !== null || exceptions.length === 0) return gate.approval;
  return { required: 1, timeoutMs: null, onTimeout: "pause" };
}

async function findAll(context: GateContext, gate: ResolvedGate): Promise<Finding[]> {
  const { host, migration, phase } = context;
  const findings: Finding[] = [];
  if (phase === "guardrail") findings.push(await characterise(context));
  if (phase === "migrate") await projectPlanFile(host, migration.id);
  findings.push({ refusals: await host.store.fileGateRefusals(migration.id, phase), evidence: [] });
  const report = await newestReport(context);
  const tests = gate.tests === null ? NOTHING : await compareTests(context, gate.tests, report);
  if (phase === "verify") findings.push(await verifyFeatures(context, report, tests.exceptions ?? []));
  findings.push(tests);
  for (const ratchet of gate.ratchet) findings.push(await checkRatchet(context, ratchet));
  for (const [index, script] of gate.run.entries()) findings.push(await checkRun(context, script, index + 1));
  return findings;
}

async function recordGate(
  { host, migration, phase, tree, check }: GateContext,
  operation: string,
  findings: readonly Finding[],
): Promise<{ readonly manifest: Manifest; readonly record: GateRecord }> {
  const refusals = findings.flatMap((finding) => finding.refusals);
  const redact = (text: string): string => migration.redactor.text(text).slice(0, MAX_REFUSAL_TEXT);
  const record: GateRecord = {
    open: refusals.length === 0,
    checked_at: host.now().toISOString(),
    tree,
    refusals: refusals.slice(0, MAX_REFUSALS).map(redact),
    evidence: findings.flatMap((finding) => finding.evidence).map(redact),
    exceptions: findings.flatMap((finding) => finding.exceptions ?? []).map(redact),
    check,
  };
  const { manifest } = await host.store.updateManifest(migration.id, operation, (current) => ({
    manifest: { ...current, gates: { ...current.gates, [phase]: record } },
    result: null,
  }));
  // What an earlier execution recorded stands, whatever this one found.
  return { manifest, record: manifest.gates?.[phase] ?? record };
}

/** The report of the phase's last step that made one; one about another tree proves nothing about this one. */
async function newestReport({ host, migration, phase }: GateContext): Promise<StoredReport | null> {
  const manifest = await host.store.readManifest(migration.id);
  const step = (recordedSteps(manifest) ?? []).findLast(
    ({ record }) => record.phase === phase && record.report !== undefined && record.skipped === undefined,
  );
  return step?.record.report === undefined ? null : await loadReport(host, migration.id, step.record.report);
}

async function compareTests(
  { host, migration, phase, tree }: GateContext,
  rule: NonNullable<ResolvedGate["tests"]>,
  after: StoredReport | null,
): Promise<Finding> {
  const baseline = await loadBaseline(host, migration);
  if (baseline === null) return { refusals: ["tests: there is no baseline to compare with"], evidence: [] };
  if (after === null) {
    return { refusals: [`tests: no step of '${phase}' has made a test report`], evidence: [] };
  }
  if (after.tree !== tree) {
    return {
      refusals: [
        "tests: the newest report is about an earlier tree; run the step that makes it after all others",
      ],
      evidence: [],
    };
  }
  const comparison = compareReports(baseline, after.report, { identity: rule.identity, allowed: rule.allow });
  const exceptions = rule.newlySkipped === "approve" ? approvable(comparison.newlySkipped) : [];
  const verdict = judgeNoNewFailures(
    exceptions.length === 0 ? comparison : { ...comparison, newlySkipped: [] },
  );
  return {
    refusals: verdict.reasons.map((reason) => `tests: ${reason}`),
    evidence: [
      ...verdict.evidence.map((evidence) => `tests: ${evidence}`),
      ...exceptions.map(
        (id) => `tests: skipped, and not skipped in the baseline, for a person to approve: ${id}`,
      ),
    ],
    exceptions,
  };
}

/** What nobody can read name by name, nobody can approve: more than that closes the gate. */
function approvable(newlySkipped: readonly string[]): readonly string[] {
  return newlySkipped.length <= MAX_EXCEPTIONS ? newlySkipped : [];
}

async function checkRatchet(
  context: GateContext,
  ratchet: ResolvedGate["ratchet"][number],
): Promise<Finding> {
  const result = await runGateScript(context, `ratchet-${fileName(ratchet.name)}`, ratchet.script);
  const refuse = (why: string): Finding => ({ refusals: [`ratchet ${ratchet.name}: ${why}`], evidence: [] });
  if (!succeeded(result)) return refuse(failureLine(ratchet.script, result, GATE_LIMITS));
  const count = ratchetCount(result.tail || result.head);
  if (count === null) return refuse(`${ratchet.script.trim()} did not print a number (see ${result.log})`);
  if (count > ratchet.max) return refuse(`${count} found, at most ${ratchet.max} allowed`);
  return { refusals: [], evidence: [`ratchet ${ratchet.name}: ${count} (at most ${ratchet.max})`] };
}

async function checkRun(context: GateContext, script: string, n: number): Promise<Finding> {
  const result = await runGateScript(context, `run-${n}`, script);
  const line = failureLine(script, result, GATE_LIMITS);
  return succeeded(result)
    ? { refusals: [], evidence: [`run: ${script.trim()} passed`] }
    : { refusals: [`run: ${line} (see ${result.log})`], evidence: [] };
}
