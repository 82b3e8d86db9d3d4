import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { Client, Connection } from "@temporalio/client";
import { z } from "zod";
import type { Home } from "./home.js";

const ServerState = z.object({ address: z.string() });

export interface StepTimes {
  /** From the first step's activity being scheduled to the last one's completion, in ms. */
  readonly totalMs: number;
  /** History events in that span. */
  readonly events: number;
}

/** Reads from a migration's history what its `migrate` steps took. */
export async function stepTimes(home: Home, migrationId: string): Promise<StepTimes> {
  const state = ServerState.parse(
    JSON.parse(await readFile(join(home.dataDir, "server", "state.json"), "utf8")),
  );
  const connection = await Connection.connect({ address: state.address });
  try {
    const history = await new Client({ connection }).workflow.getHandle(migrationId).fetchHistory();
    const events = history.events ?? [];
    const scheduled = events.filter(
      (event) =>
        event.activityTaskScheduledEventAttributes?.activityType?.name === "attemptStep" &&
        event !== firstAttempt(events),
    );
    const first = scheduled[0];
    const last = scheduled.at(-1);
    if (first === undefined || last === undefined) throw new Error(`${migrationId} ran no step`);
    const end = events.find(
      (event) =>
        String(event.activityTaskCompletedEventAttributes?.scheduledEventId) === String(last.eventId),
    );
    if (end === undefined) throw new Error(`${migrationId} did not complete its last step`);
    return { totalMs: timeOf(end) - timeOf(first), events: Number(end.eventId) - Number(first.eventId) + 3 };
  } finally {
    await connection.close();
  }
}

type Event = NonNullable<
  Awaited<ReturnType<ReturnType<Client["workflow"]["getHandle"]>["fetchHistory"]>>["events"]
>[number];

/** The survey's, which is no step that is measured. */
function firstAttempt(events: readonly Event[]): Event | undefined {
  return events.find(
    (event) => event.activityTaskScheduledEventAttributes?.activityType?.name === "attemptStep",
  );
}

function timeOf(event: Event): number {
  return Number(event.eventTime?.seconds ?? 0) * 1000 + (event.eventTime?.nanos ?? 0) / 1e6;
}
