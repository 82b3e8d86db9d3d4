import type { CommandEnd } from "../command.js";
import { size } from "../images/refresh.js";

/** What a shell exits with when its command was ended by SIGKILL. */
const KILLED = 137;

/** How a container ended, as the engine tells. */
export interface Exit {
  readonly exitCode: number | null;
  readonly oomKilled: boolean;
}

/**
 * What is said of a command that the kernel killed for its memory; null where it did not. An engine may hear of the exit
 * before it hears of the reason, and then never tells that: what nobody known killed was most likely killed for it, too.
 */
export function lackOfMemory(end: CommandEnd, exit: Exit, memoryBytes: number): string | null {
  const lack = `it ran out of memory, of which its container has ${size(memoryBytes)}: raise container.memory`;
  if (exit.oomKilled) return lack;
  return end === "exited" && exit.exitCode === KILLED ? `it was killed, most likely because ${lack}` : null;
}
