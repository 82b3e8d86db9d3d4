import { ApplicationFailure, CancelledFailure, Context } from "@temporalio/activity";
import { pingEngine } from "../adapters/machine/engine-ping.js";
import { machineLoad } from "../adapters/machine/load.js";
import { freeBytes } from "../adapters/machine/storage.js";
import { BEAT_MS, type HostPlace, type HostRecord } from "../model/hosts.js";
import type { PresenceActivities } from "./fleet-contract.js";

/** What a worker knows of itself. */
export interface Presence {
  readonly place: HostPlace;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly session: string;
  readonly version: string;
  readonly startedAt: string;
  /** How many activities run now, and how many may. */
  readonly occupancy: () => { readonly running: number; readonly slots: number };
}

/** By which a host's worker says that it is there, and how it is. */
export function createPresence(presence: Presence): PresenceActivities {
  return { arrive: () => recordOf(presence), remain: () => remain(presence) };
}

/** Heartbeats leave no trace in history, and Temporal keeps the last one: a host costs next to nothing, and is remembered. */
async function remain(presence: Presence): Promise<never> {
  const context = Context.current();
  let record = await recordOf(presence);
  try {
    for (;;) {
      context.heartbeat(record);
      await context.sleep(BEAT_MS);
      record = await recordOf(presence);
    }
  } catch (error) {
    if (!(error instanceof CancelledFailure)) throw error;
    throw ApplicationFailure.create({
      type: "WorkerStopped",
      message: "the worker stopped",
      details: [record],
    });
  }
}

async function recordOf(presence: Presence): Promise<HostRecord> {
  const { place, session, version, startedAt, environment, occupancy } = presence;
  return {
    place,
    session,
    pid: process.pid,
    version,
    startedAt,
    ...occupancy(),
    ...machineLoad(),
    freeBytes: await freeBytes(place.dataDir),
    engine: await pingEngine(environment),
  };
}
