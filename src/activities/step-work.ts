import { join } from "node:path";
import { listChanges, type RawChanges, rawChanges } from "../adapters/git/changes.js";
import {
  type BuiltCommit,
  type CommitRequest,
  commitStaged,
  stageChanges,
  type StagedChanges,
} from "../adapters/git/commit.js";
import {
  type ConfigurationFingerprint,
  configurationFingerprint,
  requireSameConfiguration,
} from "../adapters/git/fingerprint.js";
import type { Worktree } from "../adapters/git/places.js";
import type { Pristine } from "../adapters/git/pristine.js";
import { succeeded } from "../model/command.js";
import { TowpathError } from "../model/errors.js";
import { feedbackText } from "../model/feedback.js";
import type { AttemptFailure, Lease } from "../model/manifest.js";
import { countTests, type TestCounts, type TestReport } from "../model/reports/report.js";
import { scopeMessage, type ScopeViolation, scopeViolations } from "../model/scope.js";
import type { ExpressionScope } from "../model/spec/references.js";
import type { ResolvedStep } from "../model/spec/resolve.js";
import { renderCommitMessage, renderText } from "../model/spec/templates.js";
import { allDone } from "./all-done.js";
import {
  clearOutDirectory,
  type CommandPlace,
  failureLine,
  runScript,
  type ScriptResult,
} from "./commands.js";
import { releaseContainer } from "./containers.js";
import { lastFeedback, saveFeedback } from "./feedback.js";
import { type Host, projectDirectory, scopeOf, type SpecMigration } from "./host.js";
import { readStepOutputs } from "./outputs.js";
import { judgeStepReport, readStepReport, saveReport } from "./reports.js";
import { surveyProject } from "./survey.js";

const MAX_FAILURE_TEXT = 2_000;
const MAX_NAMED_FILES = 20;

export interface StepContext {
  readonly host: Host;
  readonly migration: SpecMigration;
  readonly step: ResolvedStep;
  readonly lease: Lease;
  readonly worktree: Worktree;
  readonly base: string;
  /** What the worktree is at the checkpoint, where that is known. */
  readonly pristine: Pristine | null;
  /** A container of a lost worker goes on with the attempt. */
  readonly resumed: boolean;
  /** Throws once another execution has taken the step over. */
  readonly guard: () => Promise<void>;
  readonly signal: AbortSignal;
}

/** What an attempt made, not yet part of the branch. */
export interface StepWork {
  /** null where nothing changed. */
  readonly commit: string | null;
  readonly tree: string;
  /** Where the branch is while the commit is not yet on it. */
  readonly from: string;
  /** What the worktree is once the branch is moved, where that is known. */
  readonly expected: BuiltCommit["expected"];
  readonly report: string | null;
  /** What that report counts. */
  readonly tests: TestCounts | null;
  readonly outputs: Record<string, string> | null;
}

export type StepOutcome =
  { readonly ok: true; readonly work: StepWork } | { readonly ok: false; readonly failure: AttemptFailure };

/** A failed attempt, carried to the one place that answers it. */
class AttemptFailed extends Error {
  override readonly name = "AttemptFailed";
  constructor(
    readonly failure: AttemptFailure,
    readonly feedback: string,
  ) {
    super(failure.message);
  }
}

/**
 * Does a step's work in the worktree, which is at the step's checkpoint: the command or agent, then the scope, the
 * report, the commit (not yet on the branch) and the `verify` commands against exactly the tree that is committed.
 */
export async function carryOut(context: StepContext): Promise<StepOutcome> {
  const { migration } = context;
  try {
    return { ok: true, work: await work(context) };
  } catch (error) {
    if (!(error instanceof AttemptFailed)) throw error;
    await context.guard();
    await saveFeedback(context, error.feedback);
    await release(context);
    const message = migration.redactor.text(error.failure.message).slice(0, MAX_FAILURE_TEXT);
    return { ok: false, failure: { ...error.failure, message } };
  }
}

async function work(context: StepContext): Promise<StepWork> {
  const { migration, step, worktree } = context;
  const place = placeOf(context);
  await context.guard();
  if (!context.resumed) await clearOutDirectory(migration, place);
  const before = await configurationFingerprint(worktree);
  // What a taken-over container wrote is older than this execution, and yet of this attempt.
  const report = await act(context, place, context.resumed ? 0 : Date.now());
  await context.guard();
  // Before git is used again: it would run what a step configured.
  await expectSameConfiguration(context, before);
  const found = await changesInScope(context);
  const request = await commitRequest(context, found);
  const staged = await stageStep(request);
  const outputs = await readOutputs(context, place);
  await release(context);
  const committing = commitStaged(request, staged);
  // On the host git is at work beside the commands; a container's must not change a repository under git's hands,
  // which would run on the host what they put there.
  if (step.container !== null) await committing;
  const [, built] = await allDone(verifyAll(context, place, before), committing);
  await context.guard();
  const reportName =
    report === null ? null : await saveReport(context.host, migration.id, step.id, built.tree, report);
  return {
    commit: built.changed ? built.commit : null,
    tree: built.tree,
    from: built.from,
    expected: built.expected,
    report: reportName,
    tests: report === null ? null : countTests(report),
    outputs,
  };
}

/**
 * The container has been asked for all that it knows, and the worktree is read: from here on a successor begins the
 * attempt anew. Until then it finds the container, and goes on with what that left.
 */
async function release(context: StepContext): Promise<void> {
  const { host, migration, step } = context;
  if (step.container === null || step.action.kind === "survey") return;
  await releaseContainer(host, migration, placeOf(context), step.action.kind);
}

function placeOf({ step, lease }: StepContext): CommandPlace {
  return { owner: step.id, attempt: lease.attempt };
}

async function act(context: StepContext, place: CommandPlace, startedMs: number): Promise<TestReport | null> {
  const { host, migration, step, worktree, signal } = context;
  const { action } = step;
  if (action.kind === "survey") {
    await surveyProject(host, migration, worktree, action.ignore, signal);
    return null;
  }
  const scope = await attemptScope(context);
  const command = action.kind === "run" ? action.script : action.command;
  const result = await runScript(
    host,
    migration,
    {
      ...limitsOf(context),
      place,
      what: action.kind,
      script: command,
      scope,
      keepContainer: true,
      ...(action.kind === "agent" ? { stdin: renderText(action.prompt, scope) } : {}),
    },
    signal,
  );
  if (step.report === null) {
    if (!succeeded(result)) throw commandFailed(context, "command", command, result);
    return null;
  }
  return await readReportOf(context, place, command, result, startedMs);
}

/** A test command that exits with an error is a failed step, unless its report shows only failures of the baseline. */
async function readReportOf(
  context: StepContext,
  place: CommandPlace,
  command: string,
  result: ScriptResult,
  startedMs: number,
): Promise<TestReport> {
  const { migration, step } = context;
  if (result.end !== "exited" || result.exitCode === null) {
    throw commandFailed(context, "command", command, result);
  }
  let report: TestReport;
  try {
    report = await readStepReport(migration, place, step.report ?? "", startedMs);
  } catch (error) {
    if (!(error instanceof TowpathError) || error.type !== "ArtefactInvalid") throw error;
    if (!succeeded(result)) throw commandFailed(context, "command", command, result);
    throw new AttemptFailed({ kind: "report", message: error.message, log: result.log }, error.message);
  }
  if (succeeded(result)) return report;
  const verdict = await judgeStepReport(context.host, migration, step.phase, report);
  if (verdict === null) throw commandFailed(context, "command", command, result);
  if (verdict.length > 0) {
    // The tests are the cause; how the command ended only says that there is one.
    const message = `${verdict.join("; ")} (${failureLine(command, result, step)})`;
    throw new AttemptFailed(
      { kind: "report", message, log: result.log },
      `${verdict.join("\n")}\n\n${feedbackText({ command, outcome: result })}`,
    );
  }
  return report;
}

function changesOf({ migration, step, worktree, base, pristine, signal }: StepContext) {
  const isLast = step.verify.length === 0;
  return { worktree, base, exclude: migration.exclude, before: pristine, isLast, signal };
}

async function changesInScope(context: StepContext): Promise<RawChanges> {
  const found = await rawChanges(changesOf(context));
  if (violationsOf(context, found).length === 0) return found;
  // A file that was only written anew is not changed.
  const exact = found.isExact ? found : await rawChanges({ ...changesOf(context), isExact: true });
  const violations = violationsOf(context, exact);
  if (violations.length === 0) return exact;
  const message = scopeMessage(violations);
  const files = violations.slice(0, MAX_NAMED_FILES).map(({ path }) => path);
  throw new AttemptFailed(
    { kind: "scope", message, files },
    `Your changes were undone, because some of them are not allowed.\n${message}\n`,
  );
}

function violationsOf({ step, worktree }: StepContext, found: RawChanges): ScopeViolation[] {
  const { include, protect } = step.scope;
  return scopeViolations(listChanges(found), {
    ...(include.length > 0 ? { include } : {}),
    protect,
    prefix: worktree.prefix,
  });
}

async function commitRequest(context: StepContext, found: RawChanges): Promise<CommitRequest> {
  const { host, migration, step } = context;
  const { author } = migration.manifest;
  return {
    ...changesOf(context),
    found,
    stepId: step.id,
    message: renderCommitMessage(step.commit, await attemptScope(context)),
    ...(author === undefined ? {} : { author }),
    time: host.now(),
  };
}

async function stageStep(request: CommitRequest): Promise<StagedChanges> {
  try {
    return await stageChanges(request);
  } catch (error) {
    if (!(error instanceof TowpathError) || error.type !== "NestedRepository") throw error;
    throw new AttemptFailed({ kind: "scope", message: error.message }, error.message);
  }
}

async function verifyAll(
  context: StepContext,
  place: CommandPlace,
  before: ConfigurationFingerprint,
): Promise<void> {
  for (const [index, command] of context.step.verify.entries()) {
    await context.guard();
    await verify(context, place, command, index + 1);
    await expectSameConfiguration(context, before);
  }
}

async function verify(context: StepContext, place: CommandPlace, script: string, n: number): Promise<void> {
  const { host, migration, signal } = context;
  const scope = await attemptScope(context);
  const result = await runScript(
    host,
    migration,
    { ...limitsOf(context), place, what: `verify-${n}`, script, scope },
    signal,
  );
  if (!succeeded(result)) throw commandFailed(context, "verify", script, result);
}

function limitsOf({ step, worktree }: StepContext) {
  return {
    env: step.env,
    cwd: join(projectDirectory(worktree), step.workingDirectory),
    container: step.container,
    timeoutMs: step.timeoutMs,
    idleTimeoutMs: step.idleTimeoutMs,
  };
}

async function readOutputs(
  context: StepContext,
  place: CommandPlace,
): Promise<Record<string, string> | null> {
  try {
    return await readStepOutputs(context.migration, place, context.step.outputs);
  } catch (error) {
    if (!(error instanceof TowpathError) || error.type !== "CommandFailed") throw error;
    throw new AttemptFailed({ kind: "command", message: error.message }, error.message);
  }
}

async function expectSameConfiguration(
  { worktree }: StepContext,
  before: ConfigurationFingerprint,
): Promise<void> {
  requireSameConfiguration(before, await configurationFingerprint(worktree));
}

async function attemptScope(context: StepContext): Promise<ExpressionScope> {
  const { migration, step, lease } = context;
  const feedback = step.retry.feedback ? await lastFeedback(context) : "";
  return { ...scopeOf(migration, step.env), attempt: { number: lease.attempt, feedback } };
}

function commandFailed(
  { step }: StepContext,
  kind: "command" | "verify",
  command: string,
  result: ScriptResult,
): AttemptFailed {
  const timedOut = result.end === "timeout" || result.end === "idle-timeout" ? result.end : kind;
  return new AttemptFailed(
    { kind: timedOut, message: failureLine(command, result, step), log: result.log },
    feedbackText({
      command,
      outcome: result,
      timeoutMs: step.timeoutMs,
      idleTimeoutMs: step.idleTimeoutMs ?? undefined,
    }),
  );
}
