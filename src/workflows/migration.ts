import {
  allHandlersFinished,
  CancellationScope,
  condition,
  continueAsNew,
  isCancellation,
  setHandler,
  workflowInfo,
} from "@temporalio/workflow";
import { MigrationInput, type MigrationResult, type StopRequest } from "../model/messages.js";
import { nextPhase, type Phase } from "../model/phases.js";
import { refreshImages } from "./image-use.js";
import { type HostActivities, activitiesOf } from "./host-activities.js";
import { Mailbox, type RequestKind } from "./mailbox.js";
import { hostAbsence } from "./host.contract.js";
import * as contract from "./migration.contract.js";
import { GateKeeper } from "./gate-keeper.js";
import { describeMigration } from "./migration.details.js";
import { MigrationState } from "./migration.state.js";
import { Reception, Rejected, RolledBack, SpecEdited } from "./reception.js";
import { asFailure, failure, lateRefusal, refusalOf } from "./refusals.js";
import { requirementsOf } from "./requirements.js";
import { StepRunner } from "./step-runner.js";

/**
 * One code migration, from its spec (or, hands-on, from nothing) to a verified branch: understand → guardrail →
 * migrate → verify, each left through its gate. It never dies of a failing step, command or disk: it waits and says
 * what it needs. It fails only when people reject it.
 */
export async function migration(input: MigrationInput): Promise<MigrationResult> {
  const parsed = MigrationInput.safeParse(input);
  if (!parsed.success) throw failure("Usage", `The migration's input is invalid: ${parsed.error.message}`);
  return new MigrationProcess(parsed.data).run();
}

/** A run that is continued has left the preparation behind; one that is recovered from the directory may not have. */
function isPrepared({ carried }: MigrationInput): boolean {
  return carried !== undefined && carried.prepared !== false;
}

class MigrationProcess {
  private readonly state: MigrationState;
  private readonly mailbox = new Mailbox();
  private readonly host: HostActivities;
  private readonly reception: Reception;
  private readonly steps: StepRunner;
  private readonly gates: GateKeeper;
  private readonly scope = new CancellationScope();
  private stopRequest: StopRequest | null = null;
  private created = false;
  private requirementsSettled = false;

  constructor(private readonly input: MigrationInput) {
    const info = workflowInfo();
    this.state = new MigrationState(
      input,
      input.carried?.startedAt ?? info.startTime.toISOString(),
      info.firstExecutionRunId,
    );
    this.host = activitiesOf(input.hostId);
    this.requirementsSettled = isPrepared(input) || (input.carried?.requirements ?? null) !== null;
    const parts = { input, state: this.state, mailbox: this.mailbox, host: this.host };
    this.reception = new Reception(parts);
    this.steps = new StepRunner(parts, this.reception);
    this.gates = new GateKeeper(parts, this.reception);
    this.listen();
  }

  async run(): Promise<MigrationResult> {
    try {
      await this.scope.run(() => this.work());
      return await this.finish("completed", "every gate was passed");
    } catch (error) {
      if (error instanceof Rejected) {
        await this.finish("rejected", error.reason);
        throw failure("MigrationFailed", `The migration was rejected: ${error.reason}`);
      }
      if (isCancellation(error)) return await this.stopped(error);
      throw asFailure(error);
    }
  }

  private async work(): Promise<void> {
    let prepared = isPrepared(this.input);
    let phase: Phase | null = this.state.phase;
    while (phase !== null) {
      try {
        if (!prepared) await this.prepare();
        if (!prepared) phase = this.state.phase;
        prepared = true;
        phase = await this.passPhase(phase);
      } catch (error) {
        if (!(error instanceof SpecEdited)) throw error;
        this.state.phase = error.phase;
        prepared = false;
      }
    }
  }

  /** Does what is left to do before the first phase, and again what an edited spec changed of it. */
  private async prepare(): Promise<void> {
    const { migrationId } = this.input;
    if (this.state.workspace.branch === "") await this.createAndLay();
    await this.reception.untilPrepared("workspace.setup", () =>
      this.host.long.runSetup.executeWithOptions({ summary: "workspace.setup" }, [{ migrationId }]),
    );
    if (!this.requirementsSettled) {
      await requirementsOf({
        input: this.input,
        state: this.state,
        host: this.host,
        reception: this.reception,
      });
    }
    this.requirementsSettled = true;
    const measured = { migrationId, operation: this.state.nextOperation("baseline") };
    await this.reception.untilPrepared("baseline", () =>
      this.host.long.runBaseline.executeWithOptions({ summary: "baseline on the untouched base commit" }, [
        measured,
      ]),
    );
  }

  private async create(): Promise<void> {
    const { carried: _, startedBy: __, manual: ___, prd: ____, adopt: _____, ...creation } = this.input;
    const created = { ...creation, operation: this.state.nextOperation("create") };
    await this.reception.untilDone("Creating the migration", () =>
      this.host.quick.createMigration.executeWithOptions({ summary: "create directory and manifest" }, [
        created,
      ]),
    );
  }

  private async adopt(): Promise<void> {
    const { carried: _, manual: __, prd: ___, adopt: ____, ...adoption } = this.input;
    const adopted = { ...adoption, operation: this.state.nextOperation("adopt") };
    const { phase, phases } = await this.reception.untilDone("Adopting the migration", () =>
      this.host.quick.adoptMigration.executeWithOptions({ summary: "take the directory over" }, [adopted]),
    );
    this.state.phase = phase;
    this.state.phases = { ...phases };
  }

  private async createAndLay(): Promise<void> {
    const { migrationId } = this.input;
    if (!this.created) await (this.input.adopt === true ? this.adopt() : this.create());
    this.created = true;
    const laid = { migrationId, operation: this.state.nextOperation("lay-workspace") };
    const { images = [], ...workspace } = await this.reception.untilDone("Laying the worktree", () =>
      this.host.long.layWorkspace.executeWithOptions({ summary: "worktree on a branch of its own" }, [laid]),
    );
    this.state.workspace = workspace;
    await refreshImages(this.input.hostId, images, this.reception);
  }

  /** Runs a phase to the end of its gate. Answers the phase to go on with: the next, or an earlier one after a rollback. */
  private async passPhase(phase: Phase): Promise<Phase | null> {
    try {
      const outline = await this.startPhase(phase);
      await this.steps.runAll(phase, () => this.betweenSteps(phase));
      await this.gates.pass(phase, this.input.manual || outline.manual);
      this.state.phases[phase] = "completed";
      this.showDetails();
      return nextPhase(phase);
    } catch (error) {
      if (error instanceof RolledBack) return error.phase;
      throw error;
    }
  }

  private async startPhase(phase: Phase): Promise<{ manual: boolean }> {
    const operation = this.state.nextOperation(`start-${phase}`);
    const outline = await this.reception.untilDone(`Starting phase '${phase}'`, () =>
      this.host.quick.startPhase.executeWithOptions({ summary: `start ${phase}` }, [
        { migrationId: this.input.migrationId, phase, operation },
      ]),
    );
    this.state.enterPhase(phase);
    this.state.noteCounts(outline);
    this.showDetails();
    return outline;
  }

  private async betweenSteps(phase: Phase): Promise<void> {
    this.showDetails();
    await this.reception.pausePoint();
    if (!workflowInfo().continueAsNewSuggested) return;
    this.refuseLetters();
    await condition(allHandlersFinished);
    await continueAsNew<typeof migration>({
      ...this.input,
      // The directory has the text; a history that goes on needs to carry only that there is one.
      spec: this.input.spec === null ? null : { ...this.input.spec, text: "" },
      carried: { ...this.state.carry(), phase },
    });
  }

  private async finish(
    status: "completed" | "rejected" | "stopped",
    reason: string,
  ): Promise<MigrationResult> {
    const operation = this.state.nextOperation(`finish-${status}`);
    const { migrationId } = this.input;
    const { tally, ...finished } = await this.reception.untilDone("Finishing the migration", () =>
      this.host.long.finishMigration.executeWithOptions({ summary: `finish: ${status}` }, [
        { migrationId, operation, status, reason },
      ]),
    );
    if (tally !== undefined) this.state.noteCounts(tally);
    this.state.status = status;
    this.state.outcome = reason;
    this.state.waiting = null;
    this.state.currentStep = null;
    this.refuseLetters();
    this.showDetails();
    await condition(allHandlersFinished);
    return { migrationId, status, ...finished };
  }

  private async stopped(cancellation: unknown): Promise<MigrationResult> {
    const reason = this.stopRequest
      ? `stopped by ${this.stopRequest.by}${this.stopRequest.reason && `: ${this.stopRequest.reason}`}`
      : "cancelled";
    const result = await CancellationScope.nonCancellable(() => this.finish("stopped", reason));
    // A workflow that was asked to cancel, not only signalled, is shown as cancelled.
    if (CancellationScope.current().consideredCancelled) throw cancellation;
    return result;
  }

  private listen(): void {
    const validated = <K extends RequestKind>(kind: K) => ({
      validator: (request: Parameters<typeof refusalOf<K>>[2]) => {
        const refused = refusalOf(this.state, kind, request);
        if (refused) throw refused;
      },
    });
    setHandler(contract.advance, (request) => this.mailbox.advance(request), validated("advance"));
    setHandler(contract.approve, (request) => this.mailbox.approve(request), validated("approve"));
    setHandler(contract.reject, (request) => this.mailbox.reject(request), validated("reject"));
    setHandler(contract.rollback, (request) => this.mailbox.rollback(request), validated("rollback"));
    setHandler(contract.retry, (request) => this.mailbox.retry(request), validated("retry"));
    setHandler(contract.skip, (request) => this.mailbox.skip(request), validated("skip"));
    setHandler(contract.pause, () => void (this.state.paused = true));
    setHandler(contract.resume, () => void (this.state.paused = false));
    setHandler(contract.stepsUnderWay, (told) => this.steps.hear(told));
    setHandler(contract.stop, (request) => {
      this.stopRequest ??= request;
      this.scope.cancel();
    });
    setHandler(hostAbsence, (absence) => {
      if (absence !== null && absence.hostId !== this.input.hostId) return;
      this.state.absentHost = absence;
      this.showDetails();
    });
    setHandler(contract.progress, () => this.state.progressView());
    setHandler(contract.plan, () => this.state.planView());
    setHandler(contract.gates, () => this.state.gateViews());
  }

  private refuseLetters(): void {
    // A stop may have come between a request and its answer: whoever waits for that must not keep the workflow open.
    for (const letter of this.mailbox.takeUnanswered()) letter.refuse(lateRefusal(this.state, letter));
  }

  private showDetails(): void {
    describeMigration(this.input, this.state);
  }
}
