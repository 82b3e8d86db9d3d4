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

/** Clock time beside each line, so that a log of the lines tells how long things took. */
function stamped(line: string, now: Date): string {
  return line.startsWith(" ") ? `          ${line}` : `${now.toISOString().slice(11, 19)}  ${line}`;
}

/** Tells what happens in a migration until it ends or Ctrl-C; answers how it ended. */
export async function watchMigration(migration: Followed, context: CommandContext): Promise<CommandResult> {
  const { signal, dispose } = interruption();
  try {
    const end = await follow(migration, {
      signal,
      onTrouble: context.progress,
      onEvent: async (line, view) => {
        const now = new Date();
        await context.emit({
          text: stamped(line, now),
          data: { at: now.toISOString(), event: line, status: view.status, phase: view.phase },
        });
      },
    });
    return end.execution === "RUNNING" ? { ...endResult(end), exitCode: INTERRUPTED } : endResult(end);
  } finally {
    dispose();
  }
}
