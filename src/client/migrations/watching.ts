import { migrationPaths } from "../../adapters/store/paths.js";
import type { CommandContext, CommandResult } from "../command.js";
import { watchLive } from "../live/live-view.js";
import { OutputTail } from "../live/output-tail.js";
import { StepTimes } from "../live/step-times.js";
import type { Terminal } from "../terminal.js";
import { endResult } from "./end.js";
import { follow, type Followed, type FollowEnd } from "./follow.js";

const INTERRUPTED = 130;

/** Aborted by Ctrl-C, which ends the watching and never the migration; to be disposed of. */
export function interruption(): { readonly signal: AbortSignal; readonly dispose: () => void } {
  const interrupt = new AbortController();
  const onSignal = (): void => interrupt.abort();
  process.once("SIGINT", onSignal);
  return { signal: interrupt.signal, dispose: () => void process.off("SIGINT", onSignal) };
}

/** Clock time (UTC) beside each line, so that a log of the lines tells how long things took. */
function stamped(line: string, at: Date | null): string {
  const time = at === null || line.startsWith(" ") ? "" : at.toISOString().slice(11, 19);
  return `${time.padEnd(8)}  ${line}`;
}

async function tellEvents(
  migration: Followed,
  context: CommandContext,
  signal: AbortSignal,
): Promise<FollowEnd> {
  return follow(migration, {
    signal,
    onTrouble: context.progress,
    onEvent: async ({ line, view, at }) => {
      await context.emit({
        text: stamped(line, at),
        data: { at: at?.toISOString() ?? null, event: line, status: view.status, phase: view.phase },
      });
    },
  });
}

async function drawLive(
  { migration, dataDir }: WatchedMigration,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<FollowEnd> {
  const output = new OutputTail(migrationPaths(dataDir, migration.id).logs);
  const times = new StepTimes(dataDir, migration.id);
  return watchLive(migration, { terminal, output, times, signal });
}

export interface WatchedMigration {
  readonly migration: Followed & { readonly id: string };
  readonly dataDir: string;
}

/**
 * Shows what happens in a migration until it ends or Ctrl-C: drawn in a terminal, else told line by line.
 * @returns how it ended
 */
export async function watchMigration(
  watched: WatchedMigration,
  context: CommandContext,
): Promise<CommandResult> {
  const { signal, dispose } = interruption();
  try {
    const end =
      context.terminal === null || context.json
        ? await tellEvents(watched.migration, context, signal)
        : await drawLive(watched, context.terminal, signal);
    return end.execution === "RUNNING" ? { ...endResult(end), exitCode: INTERRUPTED } : endResult(end);
  } finally {
    dispose();
  }
}
