import { setTimeout as delay } from "node:timers/promises";
import type { ProcessIdentity } from "../../model/command.js";
import { listProcesses, type ProcessEntry, startedBefore } from "./process-table.js";
import type { YoungerPids } from "./younger-pids.js";
import { hasCode } from "../../model/system-errors.js";

/** What is known of a run; a successor may know only its mark. */
export type RunTrace = Pick<ProcessIdentity, "mark"> &
  Partial<ProcessIdentity> & {
    /** Taken before the run began, by the process that asks: rules out most processes by their number. */
    readonly younger?: YoungerPids | undefined;
  };

export interface Killed {
  /** Processes that were found alive and were sent a signal. */
  readonly killed: number;
  /** Those that even SIGKILL did not end in time (the kernel holds them). */
  readonly survivors: number[];
}

/** How long a process may take to go after SIGKILL; one in uninterruptible sleep takes longer. */
const KILL_WAIT_MS = 5000;
const POLL_MS = { first: 2, last: 50 };

/**
 * The processes of a run. Its first process when pid and start time still match; else, and besides, whatever carries its mark; then
 * all descendants of those, and their fellows in the run's own group and session. A process group whose
 * number has passed to somebody else is never taken: nothing in it carries the mark or descends from what does.
 */
export function selectRun(table: readonly ProcessEntry[], run: RunTrace): ProcessEntry[] {
  const { startTime } = run;
  const others = table.filter(
    (entry) =>
      entry.pid !== process.pid && !(startTime !== undefined && startedBefore(entry.startTime, startTime)),
  );
  const isFirst = (entry: ProcessEntry) => entry.pid === run.pid && entry.startTime === run.startTime;
  const chosen = new Set(others.filter((entry) => isFirst(entry) || entry.mark() === run.mark));
  const ownGroup = (entry: ProcessEntry) => entry.pgid === run.pgid || entry.session === run.pgid;
  let size = -1;
  while (chosen.size !== size) {
    size = chosen.size;
    const parents = new Set([...chosen].map((entry) => entry.pid));
    const groupIsOurs = run.pgid !== undefined && [...chosen].some(ownGroup);
    for (const entry of others)
      if (parents.has(entry.ppid) || (groupIsOurs && ownGroup(entry))) chosen.add(entry);
  }
  return [...chosen];
}

/**
 * Ends all processes of a run: SIGTERM, then, after `graceMs`, SIGKILL until none is left. Safe to call again, from
 * any process of the same user, at any later time.
 */
export async function killTree(run: RunTrace, graceMs: number): Promise<Killed> {
  const seen = new Set<number>();
  const politely = await signalUntilGone(run, "SIGTERM", graceMs, seen);
  if (politely.length === 0) return { killed: seen.size, survivors: [] };
  const survivors = await signalUntilGone(run, "SIGKILL", KILL_WAIT_MS, seen);
  return { killed: seen.size, survivors: survivors.map((entry) => entry.pid) };
}

/**
 * Signals every process of the run once (again for SIGKILL, as new ones may be forked meanwhile) and returns who is
 * left. They are nobody's children of ours, so their end can only be looked for.
 */
async function signalUntilGone(
  run: RunTrace,
  signal: "SIGTERM" | "SIGKILL",
  withinMs: number,
  seen: Set<number>,
): Promise<ProcessEntry[]> {
  const deadline = performance.now() + withinMs;
  const signalled = new Set<string>();
  for (let pause = POLL_MS.first; ; pause = Math.min(pause * 2, POLL_MS.last)) {
    const left = selectRun(listProcesses(run.younger?.than(run.pid)), run);
    if (left.length === 0) return left;
    for (const entry of left) {
      const key = `${entry.pid}/${entry.startTime}`;
      if (signal === "SIGTERM" && signalled.has(key)) continue;
      signalled.add(key);
      seen.add(entry.pid);
      sendSignal(entry.pid, signal);
    }
    const remaining = deadline - performance.now();
    if (remaining <= 0) return left;
    await delay(Math.min(pause, remaining));
  }
}

/** A stopped process acts on SIGTERM only once it continues. */
function sendSignal(pid: number, signal: "SIGTERM" | "SIGKILL"): void {
  for (const each of signal === "SIGTERM" ? (["SIGTERM", "SIGCONT"] as const) : (["SIGKILL"] as const))
    try {
      process.kill(pid, each);
    } catch (error) {
      // Gone meanwhile, or not ours to signal (a set-uid program): it is listed as a survivor if it stays.
      if (!hasCode(error, "ESRCH", "EPERM")) throw error;
    }
}
