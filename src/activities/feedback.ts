import type { Lease } from "../model/manifest.js";
import type { Host, SpecMigration } from "./host.js";

interface Attempt {
  readonly host: Host;
  readonly migration: SpecMigration;
  readonly lease: Lease;
}

/** Keeps what a failed attempt is told to the next one, secrets masked. */
export async function saveFeedback({ host, migration, lease }: Attempt, feedback: string): Promise<void> {
  const name = feedbackName(lease.step, lease.attempt);
  await host.store.writeDocument(migration.id, "feedback", name, migration.redactor.text(feedback));
}

/** The feedback of the newest failed attempt before this one; "" for a first attempt. */
export async function lastFeedback({ host, migration, lease }: Attempt): Promise<string> {
  for (let attempt = lease.attempt - 1; attempt > 0; attempt--) {
    const text = await host.store.readDocument(migration.id, "feedback", feedbackName(lease.step, attempt));
    if (text !== null) return text;
  }
  return "";
}

function feedbackName(step: string, attempt: number): string {
  return `${step}.${attempt}.txt`;
}
