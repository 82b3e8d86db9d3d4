import { sleep } from "@temporalio/workflow";
import type { AttemptResult, StepOrder } from "../activities/contract.js";
import type { AttemptFailure } from "../model/manifest.js";
import type { StepView } from "../model/messages.js";
import type { Phase } from "../model/phases.js";
import { describeMigration } from "./migration.details.js";
import type { MigrationParts, Reception } from "./reception.js";
import { lateRefusal } from "./refusals.js";

/** Steps that are read from the directory at a time: bounds the payload, not the plan. */
const STEPS_AT_A_TIME = 50;

/** Time that an attempt may take beyond its commands: git work, waiting for a lock. */
const OVERHEAD_MS = 10 * 60_000;

const MAX_BACKOFF_MS = 5 * 60_000;

/** Runs the steps of a phase in their order, each until it is completed, skipped or tolerated. */
export class StepRunner {
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
      for (const step of batch) {
        await between();
        await this.runStep(phase, step);
      }
    }
  }

  private async runStep(phase: Phase, step: StepOrder): Promise<void> {
    let attempt = step.attempts;
    for (;;) {
      const failed = await this.spendBudget(phase, step, attempt);
      if (failed === null) return;
      attempt = failed.attempt;
      if (step.continueOnError) return await this.tolerate(phase, step, attempt, failed.failure);
      if ((await this.askPerson(phase, step, attempt, failed.failure)) === "done") return;
    }
  }

  /** Tries a step as often as its definition allows; answers the last failure, or null when it is done. */
  private async spendBudget(
    phase: Phase,
    step: StepOrder,
    attemptsBefore: number,
  ): Promise<{ attempt: number; failure: AttemptFailure } | null> {
    for (let tried = 1; ; tried++) {
      const attempt = attemptsBefore + tried;
      const result = await this.attempt(phase, step, attempt);
      if (result.outcome !== "failed") return null;
      if (tried >= step.maxAttempts) return { attempt, failure: result.failure };
      const backoffMs = Math.min(step.backoffMs * 2 ** (tried - 1), MAX_BACKOFF_MS);
      if (backoffMs > 0) await sleep(backoffMs, { summary: `backoff of ${step.id}` });
      await this.reception.pausePoint();
    }
  }

  private async attempt(phase: Phase, step: StepOrder, attempt: number): Promise<AttemptResult> {
    const { state, input, host } = this.parts;
    state.currentStep = { id: step.id, attempt, startedAt: new Date().toISOString() };
    this.show(phase, step.id, { status: "in_progress", attempts: attempt });
    describeMigration(input, state);
    const operation = state.nextOperation(`step-${step.id}-${attempt}`);
    const options = {
      summary: `${step.summary}${attempt > 1 ? ` (attempt ${attempt})` : ""}`,
      startToCloseTimeout: step.budgetMs + OVERHEAD_MS,
    };
    const result = await this.reception.untilDone(`Step '${step.id}'`, () =>
      host.long.attemptStep.executeWithOptions(options, [
        { migrationId: input.migrationId, step: step.id, attempt, operation, turn: state.nextTurn() },
      ]),
    );
    state.currentStep = null;
    state.noteCounts(result);
    this.show(phase, step.id, viewOf(result, attempt));
    return result;
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

  private show(phase: Phase, id: string, view: Partial<StepView>): void {
    const blank = { status: "pending" as const, attempts: 0, durationMs: 0, commit: null, note: "" };
    this.parts.state.noteStep({ ...blank, ...view, id, phase });
  }
}

function viewOf(result: AttemptResult, attempts: number): Partial<StepView> {
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
