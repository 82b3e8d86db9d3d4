import { setTimeout as delay } from "node:timers/promises";
import { TowpathError } from "../../model/errors.js";
import { isTerminal } from "../../model/manifest.js";
import type { ProgressView } from "../../model/messages.js";
import { eventsBetween, type Snapshot } from "./events.js";
import type { ExecutionStatus } from "./remote.js";

/** What following needs of a migration; `RemoteMigration` is one. */
export interface Followed {
  execution(): Promise<ExecutionStatus>;
  progress(): Promise<Snapshot["progress"]>;
  plan(): Promise<Snapshot["plan"]>;
}

/** One line of what happened in a migration. */
export interface FollowedEvent {
  readonly line: string;
  readonly view: ProgressView;
  /** When it was seen; null for what happened before the first look, at a moment that is not known. */
  readonly at: Date | null;
}

export interface FollowOptions {
  /** Takes each event; it is waited for. */
  readonly onEvent: (event: FollowedEvent) => Promise<void>;
  /** Takes each look, also where nothing happened. */
  readonly onLook?: (snapshot: Snapshot) => void;
  /** Ends the following, not the migration. */
  readonly signal?: AbortSignal;
  /** A query costs the worker a few milliseconds, so once a second is no load. */
  readonly intervalMs?: number;
  /** How long nobody may answer before that is an error. */
  readonly patienceMs?: number;
  /** Told once for each time that nobody answers. */
  readonly onTrouble?: (message: string) => void;
  readonly now?: () => Date;
}

/** The last look at a migration that was followed. */
export interface FollowEnd {
  readonly progress: ProgressView;
  /** How Temporal sees it; `RUNNING` where the following was ended by the signal. */
  readonly execution: ExecutionStatus;
}

const INTERVAL_MS = 1000;
const PATIENCE_MS = 120_000;
const CLOSING_MS = 100;

async function pause(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await delay(milliseconds, undefined, signal === undefined ? {} : { signal });
  } catch (error) {
    if (signal?.aborted !== true) throw error;
  }
}

interface Look {
  readonly execution: ExecutionStatus;
  readonly snapshot: Snapshot;
}

/** The execution is asked first: what is then read of a closed one is its last state. */
async function look(migration: Followed): Promise<Look> {
  const execution = await migration.execution();
  const [progress, plan] = await Promise.all([migration.progress(), migration.plan()]);
  return { execution, snapshot: { progress, plan } };
}

/** Looks until it succeeds: a server or worker that starts anew is back within seconds. */
async function lookPatiently(migration: Followed, options: FollowOptions): Promise<Look> {
  const deadline = Date.now() + (options.patienceMs ?? PATIENCE_MS);
  for (let tried = 1; ; tried++) {
    try {
      return await look(migration);
    } catch (error) {
      const passing = error instanceof TowpathError && error.type === "TemporalUnreachable";
      if (!passing || Date.now() >= deadline || options.signal?.aborted === true) throw error;
      if (tried === 1) options.onTrouble?.(error.message);
      await pause(options.intervalMs ?? INTERVAL_MS, options.signal);
    }
  }
}

/**
 * Tells what happens in a migration until it is over, or the signal says enough.
 * @throws TowpathError `MigrationNotFound`; `TemporalUnreachable` where nobody answered for longer than the patience
 */
export async function follow(migration: Followed, options: FollowOptions): Promise<FollowEnd> {
  const now = options.now ?? (() => new Date());
  let before: Snapshot | null = null;
  for (;;) {
    const { execution, snapshot } = await lookPatiently(migration, options);
    const at = now();
    options.onLook?.(snapshot);
    for (const line of eventsBetween(before, snapshot, at)) {
      await options.onEvent({ line, view: snapshot.progress, at: before === null ? null : at });
    }
    before = snapshot;
    const over = execution !== "RUNNING" && execution !== "CONTINUED_AS_NEW";
    if (over || options.signal?.aborted === true) return { progress: snapshot.progress, execution };
    // A state that is terminal before the workflow is closed is about to be: look again soon.
    const interval = options.intervalMs ?? INTERVAL_MS;
    await pause(
      isTerminal(snapshot.progress.status) ? Math.min(interval, CLOSING_MS) : interval,
      options.signal,
    );
  }
}
