import { patched, sleep } from "@temporalio/workflow";
import type {
  AttemptResult,
  AttemptStep,
  FollowingStep,
  StepOrder,
  StepOutcome,
  StepsUnderWay,
} from "../activities/contract.js";
import type { AttemptFailure } from "../model/manifest.js";
import type { StepView } from "../model/messages.js";
import type { Phase } from "../model/phases.js";
import { TOGETHER_MS } from "../model/steps.js";
import { describeMigration } from "./migration.details.js";
import type { MigrationParts, Reception } from "./reception.js";
import { lateRefusal } from "./refusals.js";

/** Steps that are read from the directory at a time: bounds the payload, not the plan. */
const STEPS_AT_A_TIME = 50;

/** Time that an attempt may take beyond its commands: git work, waiting for a lock. */
const OVERHEAD_MS = 10 * 60_000;

const MAX_BACKOFF_MS = 5 * 60_000;

/** Most steps that are asked for together. */
const MOST_TOGETHER = 32;

/** Temporal takes 400 bytes; all that is asked for must be named. */
const MAX_SUMMARY = 300;

/** Steps that are asked for together, in their order. */
type Steps = readonly [StepOrder, ...StepOrder[]];

interface FailedStep {
  readonly step: StepOrder;
  readonly attempt: number;
  readonly failure: AttemptFailure;
}

/** What became of steps that were asked for together. */
interface Attempts {
  /** Of each step that was attempted. */
  readonly outcomes: readonly StepOutcome[];
  /** The last of them, if it failed. */
  readonly failed: FailedStep | null;
}

/** Runs the steps of a phase in their order, each until it is completed, skipped or tolerated. */
export class StepRunner {
  /** How many steps are asked for together: more after short ones, one after one that lasted. */
  private together = 1;
  private underWay: { readonly turn: number; readonly phase: Phase; readonly steps: Steps } | null = null;

  constructor(
    private readonly parts: MigrationParts,
    private readonly reception: Reception,
  ) {}

  /** @throws RolledBack when somebody rolls back while a step waits */
  async runAll(phase: Phase, between: () => Promise<void>): Promise<void> {
    const { input, host } = this.parts;
    for (;;) {
      const batch = await this.reception.untilDone("Reading the plan", () =>
        host.quick.nextSteps.executeWithOptions({ summary: `next steps of ${phase}` }, [
          { migrationId: input.migrationId, phase, limit: STEPS_AT_A_TIME },
        ]),
      );
      if (batch.length === 0) return;
      for (let left = batch; left.length > 0;) {
        await between();
        left = left.slice(await this.runTogether(phase, left.slice(0, this.together)));
      }
    }
  }

  /** Takes in how far the host is with steps that were asked for together. */
  hear({ turn, outcomes, ...tally }: StepsUnderWay): void {
    const { state, input } = this.parts;
    const current = this.underWay?.steps[outcomes.length];
    if (this.underWay?.turn !== turn || current === undefined) return;
    const { phase, steps } = this.underWay;
    this.showOutcomes(phase, steps, outcomes);
    state.noteCounts(tally);
    // The host tells of steps that last.
    state.unlistedMs += TOGETHER_MS;
    this.showRunning(phase, current);
    describeMigration(input, state);
  }

  /** @returns how many of the steps are dealt with */
  private async runTogether(phase: Phase, [first, ...others]: readonly StepOrder[]): Promise<number> {
    if (first === undefined) return 0;
    const steps = named(first, others);
    const { outcomes, failed } = await this.attempt(phase, steps);
    const areShort = outcomes.length === steps.length && timeOf(outcomes) <= TOGETHER_MS;
    this.together = areShort
      ? Math.min(this.together * growth(), MOST_TOGETHER)
      : Math.max(outcomes.length - 1, 1);
    if (failed !== null) await this.settle(phase, failed);
    return outcomes.length;
  }

  /** Goes on with a step whose first attempt failed, until it is completed, skipped or tolerated. */
  private async settle(phase: Phase, first: FailedStep): Promise<void> {
    const { step } = first;
    let failed = await this.spendBudget(phase, first);
    while (failed !== null) {
      const { attempt, failure } = failed;
      if (step.continueOnError) return await this.tolerate(phase, step, attempt, failure);
      if ((await this.askPerson(phase, step, attempt, failure)) === "done") return;
      const again = await this.attempt(phase, [{ ...step, attempts: attempt }]);
      failed = again.failed && (await this.spendBudget(phase, again.failed));
    }
  }

  /**
   * Behind a first failure, tries a step as often as its definition allows.
   * @returns the last failure, or null when it is done
   */
  private async spendBudget(phase: Phase, first: FailedStep): Promise<FailedStep | null> {
    const { step } = first;
    let failed: FailedStep | null = first;
    for (let tried = 1; tried < step.maxAttempts && failed !== null; tried++) {
      const backoffMs = Math.min(step.backoffMs * 2 ** (tried - 1), MAX_BACKOFF_MS);
      if (backoffMs > 0) await sleep(backoffMs, { summary: `backoff of ${step.id}` });
      await this.reception.pausePoint();
      ({ failed } = await this.attempt(phase, [{ ...step, attempts: failed.attempt }]));
    }
    return failed;
  }

  /** Attempts the first of the steps, and those behind it as long as the host finds them short. */
  private async attempt(phase: Phase, steps: Steps): Promise<Attempts> {
    const { state, input } = this.parts;
    const [first, ...others] = steps;
    this.showRunning(phase, first);
    describeMigration(input, state);
    const order = this.order(first);
    const following = others.map((step) => this.order(step));
    const { following: more = [], ...result } = await this.reception.untilDone(`Step '${first.id}'`, () => {
      const turn = state.nextTurn();
      this.underWay = { turn, phase, steps };
      return this.ask(steps, { ...order, turn, ...(following.length === 0 ? {} : { following }) });
    });
    this.underWay = null;
    state.currentStep = null;
    state.noteCounts(result);
    const outcomes = [result, ...more];
    state.unlistedMs += timeOf(outcomes);
    this.showOutcomes(phase, steps, outcomes);
    return { outcomes, failed: lastFailure(steps, outcomes) };
  }

  private order({ id, attempts }: StepOrder): FollowingStep {
    const attempt = attempts + 1;
    return { step: id, attempt, operation: this.parts.state.nextOperation(`step-${id}-${attempt}`) };
  }

  private ask(steps: Steps, asked: Omit<AttemptStep, "migrationId">): Promise<AttemptResult> {
    const { input, host } = this.parts;
    const budgetMs = Math.max(...steps.map((step) => step.budgetMs));
    const options = { summary: summaryOf(steps), startToCloseTimeout: budgetMs + OVERHEAD_MS };
    return host.long.attemptStep.executeWithOptions(options, [{ migrationId: input.migrationId, ...asked }]);
  }

  private async tolerate(
    phase: Phase,
    step: StepOrder,
    attempts: number,
    cause: AttemptFailure,
  ): Promise<void> {
    const { state, input, host } = this.parts;
    const operation = state.nextOperation(`tolerate-${step.id}`);
    await this.reception.untilDone(`Step '${step.id}'`, () =>
      host.quick.tolerateFailure.executeWithOptions({ summary: `${step.id} failed, continue-on-error` }, [
        { migrationId: input.migrationId, step: step.id, operation },
      ]),
    );
    this.show(phase, step.id, { status: "failed", attempts, note: `tolerated: ${cause.message}` });
  }

  private async askPerson(
    phase: Phase,
    step: StepOrder,
    attempts: number,
    cause: AttemptFailure,
  ): Promise<"again" | "done"> {
    for (;;) {
      const letter = await this.reception.waitFor({
        kind: "step-failed",
        step: step.id,
        message: `step '${step.id}' failed (attempt ${attempts}): ${cause.message}`,
      });
      if (letter?.kind === "retry") {
        letter.answer({ retried: `step '${step.id}'` });
        await this.reception.goOn();
        return "again";
      }
      if (letter?.kind === "skip") {
        await this.skip(phase, step, attempts, letter.request);
        letter.answer({ step: step.id });
        await this.reception.goOn();
        return "done";
      }
      letter?.refuse(lateRefusal(this.parts.state, letter));
    }
  }

  private async skip(
    phase: Phase,
    step: StepOrder,
    attempts: number,
    request: { reason: string; by: string },
  ): Promise<void> {
    const { state, input, host } = this.parts;
    const operation = state.nextOperation(`skip-${step.id}`);
    const counts = await this.reception.untilDone(`Skipping step '${step.id}'`, () =>
      host.quick.skipStep.executeWithOptions({ summary: `skip ${step.id}` }, [
        { migrationId: input.migrationId, step: step.id, operation, reason: request.reason, by: request.by },
      ]),
    );
    state.noteCounts(counts);
    this.show(phase, step.id, { status: "skipped", attempts, note: `by ${request.by}: ${request.reason}` });
  }

  private showRunning(phase: Phase, { id, attempts }: StepOrder): void {
    const attempt = attempts + 1;
    this.parts.state.currentStep = { id, attempt, startedAt: new Date().toISOString() };
    this.show(phase, id, { status: "in_progress", attempts: attempt });
  }

  private showOutcomes(phase: Phase, steps: Steps, outcomes: readonly StepOutcome[]): void {
    outcomes.forEach((outcome, index) => {
      const step = steps[index];
      if (step !== undefined) this.show(phase, step.id, viewOf(outcome, step.attempts + 1));
    });
  }

  private show(phase: Phase, id: string, view: Partial<StepView>): void {
    const blank = { status: "pending" as const, attempts: 0, durationMs: 0, commit: null, note: "" };
    this.parts.state.noteStep({ ...blank, ...view, id, phase });
  }
}

/** How many times as many steps are asked for after short ones; migrations that began with 0.1.0 go on as it did. */
function growth(): number {
  return patched("steps-in-growing-batches-of-4") ? 4 : 2;
}

/** As many of the steps as Temporal's summary of them has room to name. */
function named(first: StepOrder, others: readonly StepOrder[]): Steps {
  const steps: [StepOrder, ...StepOrder[]] = [first];
  for (const step of others) {
    if (summaryOf([...steps, step]).length > MAX_SUMMARY) break;
    steps.push(step);
  }
  return steps;
}

function summaryOf(steps: Steps): string {
  const [{ summary, attempts }] = steps;
  if (steps.length > 1) return steps.map(({ id }) => id).join(", ");
  return attempts === 0 ? summary : `${summary} (attempt ${attempts + 1})`;
}

function timeOf(outcomes: readonly StepOutcome[]): number {
  return outcomes.reduce((sum, { durationMs }) => sum + durationMs, 0);
}

function lastFailure(steps: Steps, outcomes: readonly StepOutcome[]): FailedStep | null {
  const [last, step] = [outcomes.at(-1), steps[outcomes.length - 1]];
  if (last?.outcome !== "failed" || step === undefined) return null;
  return { step, attempt: step.attempts + 1, failure: last.failure };
}

function viewOf(result: StepOutcome, attempts: number): Partial<StepView> {
  const { durationMs } = result;
  if (result.outcome === "committed") {
    return { status: "completed", attempts, durationMs, commit: result.commit };
  }
  if (result.outcome === "failed") {
    return { status: "failed", attempts, durationMs, note: result.failure.message };
  }
  return result.outcome === "unchanged"
    ? { status: "completed", attempts, durationMs, note: "changed nothing" }
    : { status: "skipped", attempts, durationMs, note: "its condition does not hold" };
}
