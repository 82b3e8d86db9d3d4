import { Context, getClient } from "@temporalio/activity";
import { countLeftBehind } from "../model/attempts.js";
import { TowpathError } from "../model/errors.js";
import { STEPS_UNDER_WAY } from "../model/messages.js";
import { stepRecord, TOGETHER_MS } from "../model/steps.js";
import { type Tally, tallyOf } from "../model/tally.js";
import { attempt, recordedOutcome } from "./attempt.js";
import type { AttemptResult, AttemptStep, FollowingStep, StepOutcome, StepsUnderWay } from "./contract.js";
import { heartbeating } from "./heartbeat.js";
import type { Host } from "./host.js";

/**
 * Attempts a step and, as long as all goes well and quickly, those asked for behind it. Each is begun, recorded and
 * committed as if it had been asked for alone; whoever runs this again goes on behind the last one that was ended.
 */
export function attemptSteps(host: Host, input: AttemptStep): Promise<AttemptResult> {
  return heartbeating(async (signal) => {
    const { following = [], ...first } = input;
    if (following.length === 0) return attempt(host, first, signal);
    return new StepsInTurn(host, [first, ...following], first, signal).run();
  });
}

/** A step that could not be attempted behind others: it is asked for again, alone, and says then what is wrong. */
type Attempted = AttemptResult | "not-attempted";

class StepsInTurn {
  readonly #outcomes: StepOutcome[] = [];
  #tally: Tally | null = null;

  constructor(
    private readonly host: Host,
    private readonly asked: readonly FollowingStep[],
    private readonly asking: Pick<AttemptStep, "migrationId" | "turn">,
    private readonly signal: AbortSignal,
  ) {}

  async run(): Promise<AttemptResult> {
    await this.takeRecorded();
    const until = performance.now() + TOGETHER_MS;
    for (const step of this.asked.slice(this.#outcomes.length)) {
      if (this.#outcomes.length > 0 && performance.now() > until) break;
      const attempted = await this.attempt(step);
      if (attempted === "not-attempted") break;
      const { completed, total, percent, tests, following: _, ...outcome } = attempted;
      this.#tally = { completed, total, percent, tests };
      this.#outcomes.push(outcome);
      if (outcome.outcome === "failed") break;
    }
    const [first, ...following] = this.#outcomes;
    if (first === undefined || this.#tally === null)
      throw new TowpathError("Internal", "No step was attempted");
    return { ...this.#tally, ...first, following };
  }

  /** What an earlier execution has left behind it. */
  private async takeRecorded(): Promise<void> {
    const { migrationId, turn } = this.asking;
    const manifest = await this.host.store.readManifest(migrationId);
    for (const { step } of this.asked.slice(0, countLeftBehind(manifest, this.asked, turn))) {
      const record = stepRecord(manifest, step);
      if (record !== undefined) this.#outcomes.push(recordedOutcome(record));
    }
    this.#tally = tallyOf(manifest);
  }

  private async attempt(step: FollowingStep): Promise<Attempted> {
    const { host, signal, asking } = this;
    const isFirst = this.#outcomes.length === 0;
    if (isFirst) return attempt(host, { ...asking, ...step }, signal);
    const lasting = setTimeout(() => void this.tell(), TOGETHER_MS);
    try {
      return await attempt(host, { ...asking, ...step }, signal);
    } catch (error) {
      signal.throwIfAborted();
      Context.current().log.warn("A step behind others could not be attempted", { step: step.step, error });
      return "not-attempted";
    } finally {
      clearTimeout(lasting);
    }
  }

  /** For people alone: what is lost with it is shown when all steps are done. */
  private async tell(): Promise<void> {
    const { log, info } = Context.current();
    if (this.#tally === null) return;
    const told: StepsUnderWay = { ...this.#tally, turn: this.asking.turn, outcomes: this.#outcomes };
    try {
      const { workflowExecution: { workflowId, runId } = {} } = info;
      await getClient()
        .workflow.getHandle(workflowId ?? "", runId)
        .signal(STEPS_UNDER_WAY, told);
    } catch (error) {
      log.warn("The migration could not be told which step it is at", { error });
    }
  }
}
