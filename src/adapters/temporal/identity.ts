import { z } from "zod";
import { processAlive, processStartTime } from "../process/process-table.js";

/** A process, so exactly that a later one with the same number is not taken for it. Plain JSON. */
export const BackgroundProcess = z.object({
  pid: z.int().positive(),
  /** As the system tells it: comparable for equality only. */
  startTime: z.string().min(1),
});
export type BackgroundProcess = z.infer<typeof BackgroundProcess>;

/** Names the process `pid`, or null where none runs (a zombie does not). */
export function identify(pid: number): BackgroundProcess | null {
  const startTime = processStartTime(pid);
  return startTime === null ? null : { pid, startTime };
}

/** True while exactly this process runs. */
export function isRunning(known: BackgroundProcess): boolean {
  return processAlive(known.pid, known.startTime);
}
