import type { CommandContext, CommandResult } from "../command.js";
import { endResult } from "./end.js";
import { follow, type Followed } from "./follow.js";

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

/** Tells what happens in a migration until it ends or Ctrl-C; answers how it ended. */
export async function watchMigration(migration: Followed, context: CommandContext): Promise<CommandResult> {
  const { signal, dispose } = interruption();
  try {
    const end = await follow(migration, {
      signal,
      onTrouble: context.progress,
      onEvent: async ({ line, view, at }) => {
        await context.emit({
          text: stamped(line, at),
          data: { at: at?.toISOString() ?? null, event: line, status: view.status, phase: view.phase },
        });
      },
    });
    return end.execution === "RUNNING" ? { ...endResult(end), exitCode: INTERRUPTED } : endResult(end);
  } finally {
    dispose();
  }
}
