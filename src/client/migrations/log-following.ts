import { watch } from "node:fs";
import path from "node:path";
import { listLogs, type LogFile } from "../../adapters/logs/logs.js";
import { MigrationStore } from "../../adapters/store/migration-store.js";
import { isTerminal, type Manifest } from "../../model/manifest.js";
import { isStepDone } from "../../model/step-summary.js";
import { stepRecord } from "../../model/steps.js";
import { LogReader } from "./log-reading.js";
import { statusOf } from "./local-view.js";

/** The end of an attempt is written to the manifest, not to the log: it is looked for this often. */
const LOOK_AGAIN_MS = 500;

export interface FollowedLogs {
  readonly dataDir: string;
  readonly id: string;
  /** A step's id, `setup`, `baseline`, or `gate-<phase>`. */
  readonly step: string;
  readonly attempt: number;
}

export type OnLog = (log: LogFile, lines: string) => Promise<void>;

/** True when nothing more will be written for this attempt. */
export function attemptIsOver(manifest: Manifest, step: string, attempt: number): boolean {
  if (isTerminal(statusOf(manifest))) return true;
  const record = stepRecord(manifest, step);
  const waits = (manifest.waiting_for ?? null) !== null;
  // The preparation's and the gates' commands have no record of their own: they are over when anything else goes on.
  if (record === undefined) return waits || (manifest.lease ?? null) !== null;
  if (record.attempts > attempt || isStepDone(record) || record.status === "failed") return true;
  return waits && record.status !== "in_progress";
}

/** Resolves when something below the directory changed, or after a moment. */
function nextChange(directory: string, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(settle, LOOK_AGAIN_MS);
    const watcher = watch(directory, settle);
    // A directory that goes away is seen at the next look.
    watcher.on("error", settle);
    signal.addEventListener("abort", settle, { once: true });
    function settle(): void {
      clearTimeout(timer);
      watcher.close();
      signal.removeEventListener("abort", settle);
      resolve();
    }
  });
}

/** Gives what an attempt's commands write, as they write it, until the attempt is over or the signal says enough. */
export async function followLogs(followed: FollowedLogs, onLog: OnLog, signal: AbortSignal): Promise<void> {
  const { dataDir, id, step, attempt } = followed;
  const store = new MigrationStore({ dataDir });
  const { logs } = store.paths(id);
  const readers = new Map<string, LogReader>();
  for (;;) {
    // Asked before the logs are read: what an attempt wrote is complete before its end is recorded.
    const over = attemptIsOver(await store.readManifest(id), step, attempt);
    const files = (await listLogs(logs, step)).filter((log) => log.attempt === attempt);
    for (const log of files) {
      const reader = readers.get(log.path) ?? new LogReader(log);
      readers.set(log.path, reader);
      await reader.readOn((lines) => onLog(log, lines));
    }
    if (over || signal.aborted) break;
    await nextChange(files.length > 0 ? path.join(logs, step) : store.paths(id).directory, signal);
  }
  for (const reader of readers.values()) await reader.finish((lines) => onLog(reader.log, lines));
}
