import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import {
  WorkflowFailedError,
  type Client,
  type WorkflowExecutionDescription,
  type WorkflowHandle,
} from "@temporalio/client";
import type { QueryDefinition, SignalDefinition, UpdateDefinition } from "@temporalio/common";
import { TowpathError } from "../../model/errors.js";
import { isTerminal } from "../../model/manifest.js";
import { ProgressView, type GateView, type PlanView } from "../../model/messages.js";
import * as contract from "../../workflows/migration.contract.js";
import { asTowpathError, isDeadline, isGone, isNotReady } from "./failures.js";
import { migrationNotFound } from "./reference.js";

export interface Patience {
  /** A worker answers a query within milliseconds; a cold one that replays a long history needs seconds. */
  readonly queryMs: number;
  /** Until a worker that has lost its server has found it again. */
  readonly readyMs: number;
  /** Until a worker has taken a request up; carrying it out may take as long as a gate's tests. */
  readonly acceptMs: number;
}

const PATIENCE: Patience = { queryMs: 10_000, readyMs: 5_000, acceptMs: 15_000 };

const READY_POLL_MS = 100;

/** How Temporal sees the workflow: `RUNNING`, `COMPLETED`, `FAILED`, `TERMINATED`… */
export type ExecutionStatus = WorkflowExecutionDescription["status"]["name"];

/** Talks to one migration's workflow. Every method throws TowpathError only. */
export class RemoteMigration {
  private readonly handle: WorkflowHandle;

  constructor(
    private readonly client: Client,
    readonly id: string,
    private readonly patience: Patience = PATIENCE,
  ) {
    this.handle = client.workflow.getHandle(id);
  }

  /**
   * How Temporal sees the migration's workflow.
   * @throws TowpathError `MigrationNotFound`, `TemporalUnreachable`
   */
  async execution(): Promise<ExecutionStatus> {
    const description = await this.calling(() => this.handle.describe());
    return description.status.name;
  }

  /**
   * The id of the newest run: a long migration goes on in several, one after the other.
   * @throws TowpathError `MigrationNotFound`, `TemporalUnreachable`
   */
  async runId(): Promise<string> {
    return (await this.calling(() => this.handle.describe())).runId;
  }

  /**
   * The host that holds it, as its start recorded it; null where that is not known.
   * @throws TowpathError `MigrationNotFound`, `TemporalUnreachable`
   */
  async hostId(): Promise<string | null> {
    const { memo } = await this.calling(() => this.handle.describe());
    return typeof memo?.["host"] === "string" ? memo["host"] : null;
  }

  /** @throws TowpathError `MigrationNotFound`, `TemporalUnreachable` */
  async progress(): Promise<ProgressView> {
    const answer = await this.query(contract.progress);
    const view = ProgressView.safeParse(answer);
    if (view.success) return view.data;
    throw new TowpathError(
      "Internal",
      `The worker's answer about ${this.id} has another shape; worker and command are of different versions of Towpath. Restart it with: towpath down && towpath up`,
      { cause: view.error },
    );
  }

  plan(): Promise<PlanView> {
    return this.query(contract.plan);
  }

  gates(): Promise<GateView[]> {
    return this.query(contract.gates);
  }

  /**
   * Makes a request and waits for its answer.
   * @param onAccepted called when a worker has taken the request up
   * @throws TowpathError what the workflow refused with; `WrongStatus` where the migration is over; `MigrationNotFound`;
   * `TemporalUnreachable`, also when no worker takes the request up
   */
  async update<Answer, Request>(
    definition: UpdateDefinition<Answer, [Request]>,
    request: Request,
    onAccepted?: () => void,
  ): Promise<Answer> {
    return this.changing(async () => {
      const accepted = await this.client.withDeadline(Date.now() + this.patience.acceptMs, () =>
        this.handle.startUpdate(definition, {
          args: [request],
          waitForStage: "ACCEPTED",
          updateId: randomUUID(),
        }),
      );
      onAccepted?.();
      return accepted.result();
    });
  }

  /** @throws TowpathError `WrongStatus` where the migration is over; `MigrationNotFound`; `TemporalUnreachable` */
  async signal<Args extends unknown[]>(definition: SignalDefinition<Args>, ...args: Args): Promise<void> {
    await this.changing(() => this.handle.signal(definition, ...args));
  }

  /**
   * Waits for the end of the migration, however it ends.
   * @returns false where it has not ended within that time
   * @throws TowpathError `MigrationNotFound`, `TemporalUnreachable`
   */
  async ended(withinMs: number): Promise<boolean> {
    try {
      await this.client.withDeadline(Date.now() + withinMs, () => this.handle.result());
      return true;
    } catch (error) {
      if (error instanceof WorkflowFailedError) return true;
      if (isDeadline(error)) return false;
      throw isGone(error) ? migrationNotFound(this.id) : asTowpathError(error);
    }
  }

  private query<Answer>(definition: QueryDefinition<Answer>): Promise<Answer> {
    const ask = (): Promise<Answer> =>
      this.client.withDeadline(Date.now() + this.patience.queryMs, () => this.handle.query(definition));
    return this.calling(() => this.whenReady(ask));
  }

  private async whenReady<Answer>(ask: () => Promise<Answer>): Promise<Answer> {
    const deadline = performance.now() + this.patience.readyMs;
    for (;;) {
      try {
        return await ask();
      } catch (error) {
        if (!isNotReady(error) || performance.now() > deadline) throw error;
        await delay(READY_POLL_MS);
      }
    }
  }

  /** What became of a migration that is over: in its own words, else (nobody answers, or it was terminated) in Temporal's. */
  private async finalStatus(): Promise<string> {
    const execution = (await this.execution()).toLowerCase();
    try {
      const { status } = await this.progress();
      return isTerminal(status) ? status : execution;
    } catch (error) {
      // Ended before it began, or no worker to ask: only Temporal knows.
      if (error instanceof TowpathError) return execution;
      throw error;
    }
  }

  private async calling<T>(call: () => Promise<T>): Promise<T> {
    try {
      return await call();
    } catch (error) {
      throw isGone(error) ? migrationNotFound(this.id) : asTowpathError(error);
    }
  }

  private async changing<T>(call: () => Promise<T>): Promise<T> {
    try {
      return await call();
    } catch (error) {
      if (!isGone(error)) throw asTowpathError(error);
      const status = await this.finalStatus();
      throw new TowpathError(
        "WrongStatus",
        `The migration ${this.id} is over (${status}); nothing can be changed in it any more.`,
        { cause: error, details: { id: this.id, status } },
      );
    }
  }
}
