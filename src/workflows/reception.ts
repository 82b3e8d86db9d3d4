import {
  ActivityFailure,
  ApplicationFailure,
  condition,
  isCancellation,
  TimeoutFailure,
} from "@temporalio/workflow";
import type { PreparationResult } from "../activities/contract.js";
import { messageOf } from "../model/errors.js";
import type { Waiting } from "../model/manifest.js";
import type { MigrationInput, SpecEdition } from "../model/messages.js";
import { PHASES, type Phase } from "../model/phases.js";
import type { Tally } from "../model/tally.js";
import type { HostActivities } from "./host-activities.js";
import type { Letter, Mailbox } from "./mailbox.js";
import { describeMigration } from "./migration.details.js";
import type { MigrationState } from "./migration.state.js";
import { failure, isRefusal, lateRefusal, refusalOf } from "./refusals.js";

/** How long a retryable fault (disk full, lock held) rests before it is tried again unasked, in ms. */
const BLOCKED_RETRY_MS = 60_000;

export interface MigrationParts {
  readonly input: MigrationInput;
  readonly state: MigrationState;
  readonly mailbox: Mailbox;
  readonly host: HostActivities;
}

/** Thrown to the main loop when people rejected the migration, or nobody approved it in time. */
export class Rejected extends Error {
  override readonly name = "Rejected";
  constructor(readonly reason: string) {
    super(reason);
  }
}

/** Thrown to the main loop when somebody rolled the migration back: it goes on with the step's phase. */
export class RolledBack extends Error {
  override readonly name = "RolledBack";
  constructor(readonly phase: Phase) {
    super(`rolled back into ${phase}`);
  }
}

/** Thrown to the main loop when the migration goes on with an edited spec. */
export class SpecEdited extends Error {
  override readonly name = "SpecEdited";
  constructor(readonly phase: Phase) {
    super(`goes on with an edited spec in ${phase}`);
  }
}

export type WaitingFor = Omit<Waiting, "since" | "phase">;

export interface WaitOptions {
  /** Ends the wait without a letter. */
  readonly until?: () => boolean;
  /** A moment, in ms since the epoch, at which the wait ends without a letter. */
  readonly deadline?: number;
}

/** Where a migration waits for people: says what it needs, and takes their requests one after the other. */
export class Reception {
  constructor(private readonly parts: MigrationParts) {}

  /**
   * Waits for a request that fits what is waited for, or answers null when `until` holds or the deadline passed.
   * Rollbacks and edited specs are carried out here, whatever is waited for.
   * @throws RolledBack | SpecEdited
   */
  async waitFor(waitingFor: WaitingFor, options: WaitOptions = {}): Promise<Letter | null> {
    const { state, mailbox } = this.parts;
    await this.announce(waitingFor);
    for (;;) {
      await this.somethingHappens(options);
      const letter = mailbox.take();
      if (letter === undefined) return null;
      const refused = refusalOf(state, letter.kind, letter.request);
      if (refused) letter.refuse(refused);
      else if (letter.kind === "rollback") await this.rollBack(letter);
      else if (letter.kind === "retry" && letter.request.spec) {
        await this.takeSpec(letter, letter.request.spec);
      } else return letter;
    }
  }

  /** The wait is over: requests that are still there came too late. */
  async goOn(): Promise<void> {
    const { state } = this.parts;
    state.waiting = null;
    state.status = "in_progress";
    this.refuseTheLate();
    await this.record();
  }

  /** Stands still while the migration is paused. */
  async pausePoint(): Promise<void> {
    const { state } = this.parts;
    if (!state.paused) return;
    await this.waitFor({ kind: "paused", message: "paused" }, { until: () => !state.paused });
    await this.goOn();
  }

  /**
   * Runs an activity until it succeeds. A failure that its retries could not cure is shown, and tried again on
   * request, or after a minute where time may cure it. Refusals by Towpath's own rules are thrown when `refusable`.
   */
  async untilDone<T>(what: string, run: () => Promise<T>, refusable = false): Promise<T> {
    for (;;) {
      try {
        return await run();
      } catch (error) {
        if (isCancellation(error)) throw error;
        const fault = faultOf(error);
        if (refusable && isRefusal(fault)) throw fault;
        await this.waitForRetry(
          { kind: "blocked", message: `${what} failed: ${messageOf(fault)}` },
          fault instanceof ApplicationFailure && fault.nonRetryable ? undefined : BLOCKED_RETRY_MS,
        );
      }
    }
  }

  /** Runs a command of the preparation until it succeeds; each new try is asked for by a person. */
  async untilPrepared(what: string, run: () => Promise<PreparationResult>): Promise<void> {
    for (;;) {
      const result = await this.untilDone(what, run);
      if (result.ok) return;
      await this.waitForRetry({ kind: "preparation-failed", message: `${what} failed: ${result.message}` });
    }
  }

  private async waitForRetry(waitingFor: WaitingFor, afterMs?: number): Promise<void> {
    const options = afterMs === undefined ? {} : { deadline: Date.now() + afterMs };
    const letter = await this.waitFor(waitingFor, options);
    if (letter?.kind === "retry") letter.answer({ retried: waitingFor.message });
    else letter?.refuse(lateRefusal(this.parts.state, letter));
    await this.goOn();
  }

  private async announce(waitingFor: WaitingFor): Promise<void> {
    const { state } = this.parts;
    const { waiting } = state;
    if (waiting?.kind === waitingFor.kind && waiting.message === waitingFor.message) return;
    state.waiting = { ...waitingFor, phase: state.phase, since: new Date().toISOString() };
    state.status = waitingFor.kind === "paused" ? "paused" : "waiting";
    await this.record();
  }

  /** Writes what is waited for into the manifest. That it can't be written must not keep a person from answering. */
  private async record(): Promise<void> {
    const { state, input, host } = this.parts;
    describeMigration(input, state);
    const summary = state.waiting ? `waits: ${state.waiting.kind}` : "goes on";
    try {
      await host.quick.recordWaiting.executeWithOptions({ summary }, [
        {
          migrationId: input.migrationId,
          operation: state.nextOperation("record-waiting"),
          status: state.status,
          waiting: state.waiting,
        },
      ]);
    } catch (error) {
      if (isCancellation(error)) throw error;
      if (state.waiting) {
        state.waiting.message += ` (the manifest could not be written: ${messageOf(faultOf(error))})`;
      }
    }
  }

  private async somethingHappens(options: WaitOptions): Promise<void> {
    const { mailbox, state } = this.parts;
    const happened = (): boolean => !mailbox.empty || (options.until?.() ?? false);
    if (options.deadline === undefined) return condition(happened);
    // Also one that has passed is waited for: whether there is a timer must not hang on the clock.
    const left = Math.max(options.deadline - Date.now(), 1);
    await condition(happened, left, { summary: `waits: ${state.waiting?.kind ?? ""}` });
  }

  private async rollBack(letter: Extract<Letter, { kind: "rollback" }>): Promise<void> {
    const { state, input, host } = this.parts;
    const { step, by } = letter.request;
    const operation = state.nextOperation(`rollback-${step}`);
    try {
      const result = await host.long.rollbackTo.executeWithOptions(
        { summary: `roll back to before ${step}` },
        [{ migrationId: input.migrationId, step, by, operation }],
      );
      this.forgetFrom(result);
      letter.answer({ step, phase: result.phase, commit: result.commit, undone: result.undone });
      await this.goOn();
      throw new RolledBack(result.phase);
    } catch (error) {
      if (isCancellation(error) || error instanceof RolledBack) throw error;
      const fault = faultOf(error);
      letter.refuse(isRefusal(fault) ? fault : failure("GitFailed", messageOf(fault)));
    }
  }

  private async takeSpec(letter: Extract<Letter, { kind: "retry" }>, spec: SpecEdition): Promise<void> {
    const { state, input, host } = this.parts;
    const { by } = letter.request;
    const operation = state.nextOperation("continue-with-spec");
    try {
      const result = await host.long.continueWithSpec.executeWithOptions(
        { summary: `edited spec ${spec.digest.slice(0, 12)}` },
        [{ migrationId: input.migrationId, by, operation, spec }],
      );
      this.forgetFrom(result);
      const { phase, step, kept, undone } = result;
      const where = step === null ? `the gate of '${phase}'` : `step '${step}'`;
      letter.answer({ retried: `${where}, with the edited spec`, continued: { phase, step, kept, undone } });
      await this.goOn();
      throw new SpecEdited(phase);
    } catch (error) {
      if (isCancellation(error) || error instanceof SpecEdited) throw error;
      const fault = faultOf(error);
      letter.refuse(isRefusal(fault) ? fault : failure("GitFailed", messageOf(fault)));
    }
  }

  /** What the workflow remembers of a phase that is entered again, and of all behind it, is no longer so. */
  private forgetFrom(result: Tally & { readonly phase: Phase }): void {
    const { state } = this.parts;
    state.noteCounts(result);
    state.currentStep = null;
    const undone = PHASES.slice(PHASES.indexOf(result.phase));
    state.forgetSteps((view) => undone.includes(view.phase));
    for (const phase of undone) delete state.gates[phase];
  }

  private refuseTheLate(): void {
    const { mailbox, state } = this.parts;
    for (let letter = mailbox.take(); letter !== undefined; letter = mailbox.take()) {
      letter.refuse(lateRefusal(state, letter));
    }
  }
}

/** What really went wrong under Temporal's wrapping of an activity's failure. */
export function faultOf(error: unknown): Error {
  if (error instanceof ActivityFailure) {
    const { cause } = error;
    if (cause instanceof TimeoutFailure) {
      // Time may cure it: another worker comes, or the one that stood still goes on.
      const message = "the worker that ran it did not answer any more";
      return ApplicationFailure.create({ type: "Internal", message });
    }
    if (cause instanceof Error) return cause;
  }
  return error instanceof Error ? error : new Error(String(error));
}
