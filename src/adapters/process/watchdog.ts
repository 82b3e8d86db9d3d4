import type { CommandEnd } from "../../model/command.js";
import type { CommandLimits } from "../../model/feedback.js";

/** Longer timers overflow and fire at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Tells when a command has to be ended. */
export interface Watchdog {
  /** Resolves with the first limit that is reached; never, when none is. */
  readonly reached: Promise<CommandEnd>;
  /** The command wrote something. */
  touch(): void;
  /** Frees timers and listeners. */
  stop(): void;
}

/** Starts to watch the time, the silence and the caller's signal. */
export function watch(limits: CommandLimits & { readonly signal?: AbortSignal | undefined }): Watchdog {
  const { signal, timeoutMs, idleTimeoutMs } = limits;
  const timers: NodeJS.Timeout[] = [];
  let idle: NodeJS.Timeout | undefined;
  let cancel: (() => void) | undefined;
  const reached = new Promise<CommandEnd>((resolve) => {
    const after = (ms: number, end: CommandEnd): NodeJS.Timeout => {
      const timer = setTimeout(
        () => {
          resolve(end);
        },
        Math.min(ms, LONGEST_TIMER_MS),
      );
      timers.push(timer);
      return timer;
    };
    if (timeoutMs !== undefined) after(timeoutMs, "timeout");
    if (idleTimeoutMs !== undefined) idle = after(idleTimeoutMs, "idle-timeout");
    cancel = () => {
      resolve("cancelled");
    };
    signal?.addEventListener("abort", cancel, { once: true });
    if (signal?.aborted) cancel();
  });
  return {
    reached,
    touch() {
      idle?.refresh();
    },
    stop() {
      for (const timer of timers) clearTimeout(timer);
      if (cancel !== undefined) signal?.removeEventListener("abort", cancel);
    },
  };
}
