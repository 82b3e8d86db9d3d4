import {
  allHandlersFinished,
  ActivityFailure,
  ApplicationFailure,
  condition,
  continueAsNew,
  isCancellation,
  proxyActivities,
  setCurrentDetails,
  setHandler,
  TimeoutFailure,
  upsertMemo,
  workflowInfo,
} from "@temporalio/workflow";
import type { FleetActivities, PresenceActivities } from "../activities/fleet-contract.js";
import {
  absenceText,
  foreignHostText,
  GRACE_MS,
  type HostAbsence,
  type HostInput,
  type HostMemo,
  type HostPlace,
  HostRecord,
  isSamePlace,
  presenceQueue,
  SILENCE_MS,
} from "../model/hosts.js";
import { WORKFLOW_QUEUE } from "../model/queues.js";
import * as contract from "./host.contract.js";
import { failure } from "./refusals.js";

/** As good as for ever: Temporal wants a limit. */
const LIFETIME = "3650 days";

/**
 * Stands for a host for as long as there is one: whose data directory its id is, and whether its worker is there. Its
 * history grows only when a worker starts or ends.
 */
export async function host(input: HostInput): Promise<void> {
  return new HostProcess(input).run();
}

class HostProcess {
  private place: HostPlace | null;
  private record: HostRecord | null;
  private absent: boolean;

  constructor(private readonly input: HostInput) {
    this.place = input.place;
    this.record = input.record;
    this.absent = input.absent;
    setHandler(contract.claim, (place) => this.claim(place), { validator: (place) => this.refuse(place) });
  }

  async run(): Promise<void> {
    for (;;) {
      await this.awaitWorker();
      const lastSeen = await this.whilePresent();
      this.remember({ lastSeen });
      if (!workflowInfo().continueAsNewSuggested) continue;
      await condition(allHandlersFinished);
      const { place, record, absent } = this;
      await continueAsNew<typeof host>({ hostId: this.input.hostId, place, record, absent });
    }
  }

  private refuse(place: HostPlace): void {
    if (this.place === null || isSamePlace(this.place, place)) return;
    throw failure("WrongStatus", foreignHostText(this.input.hostId, this.place, place));
  }

  private claim(place: HostPlace): void {
    // Another claim may have been carried out since this one was let in.
    this.refuse(place);
    this.place = place;
    upsertMemo({ place });
  }

  /** A worker that comes soon is no news; one that does not is told to all who wait for it. */
  private async awaitWorker(): Promise<void> {
    const arrival: { record: HostRecord | null } = { record: null };
    const arriving = this.presence()
      .arrive.executeWithOptions({ summary: "waits for the host's worker" }, [])
      .then((record) => void (arrival.record = record));
    const isThere = (): boolean => arrival.record !== null;
    if (!this.absent && !(await condition(isThere, GRACE_MS))) await this.tell(true);
    await arriving;
    this.record = arrival.record;
    this.remember({ lastSeen: null });
    if (this.absent) await this.tell(false);
  }

  /** @returns when it was seen last */
  private async whilePresent(): Promise<string> {
    try {
      return await this.presence().remain.executeWithOptions({ summary: "the host's worker runs" }, []);
    } catch (error) {
      if (isCancellation(error) || !(error instanceof ActivityFailure)) throw error;
      const { cause } = error;
      if (cause instanceof TimeoutFailure) {
        this.note(cause.lastHeartbeatDetails);
        return new Date(Date.now() - SILENCE_MS).toISOString();
      }
      if (cause instanceof ApplicationFailure) this.note(cause.details?.[0]);
      return new Date(Date.now()).toISOString();
    }
  }

  private note(details: unknown): void {
    const record = HostRecord.safeParse(details);
    if (record.success) this.record = record.data;
  }

  private remember({ lastSeen }: { lastSeen: string | null }): void {
    const memo: Omit<HostMemo, "place"> = { record: this.record, lastSeen };
    upsertMemo(memo);
    setCurrentDetails(
      lastSeen === null
        ? "Its worker is there."
        : `Its worker is not there. ${absenceText(this.absence(lastSeen))}`,
    );
  }

  private absence(lastSeen: string | null): HostAbsence {
    const { machine = "", dataDir = "" } = this.record?.place ?? this.place ?? {};
    return { hostId: this.input.hostId, lastSeen, machine, dataDir };
  }

  private async tell(absent: boolean): Promise<void> {
    this.absent = absent;
    const { hostId } = this.input;
    const lastSeen: unknown = workflowInfo().memo?.["lastSeen"];
    const absence = absent ? this.absence(typeof lastSeen === "string" ? lastSeen : null) : null;
    const { tellMigrations } = proxyActivities<FleetActivities>({
      taskQueue: WORKFLOW_QUEUE,
      startToCloseTimeout: "1 hour",
      heartbeatTimeout: "10 seconds",
    });
    const summary = absent ? "tell its migrations: away" : "tell its migrations: back";
    await tellMigrations.executeWithOptions({ summary }, [{ hostId, absence }]);
  }

  private presence() {
    const taskQueue = presenceQueue(this.input.hostId);
    const { arrive } = proxyActivities<PresenceActivities>({
      taskQueue,
      startToCloseTimeout: "1 minute",
      retry: { initialInterval: "1 second", maximumInterval: "5 seconds" },
    });
    const { remain } = proxyActivities<PresenceActivities>({
      taskQueue,
      startToCloseTimeout: LIFETIME,
      heartbeatTimeout: SILENCE_MS,
      retry: { maximumAttempts: 1 },
    });
    return { arrive, remain };
  }
}
