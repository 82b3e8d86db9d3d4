import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
import { z } from "zod";
import { hasCode } from "./files.js";

const run = promisify(execFile);

/** A process, so exactly that a later one with the same number is not taken for it. Plain JSON. */
export const BackgroundProcess = z.object({
  pid: z.int().positive(),
  /** As the system tells it: comparable for equality only. */
  startTime: z.string().min(1),
});
export type BackgroundProcess = z.infer<typeof BackgroundProcess>;

/** When the process `pid` began, or null where none runs (a zombie does not). */
export async function startTimeOf(pid: number): Promise<string | null> {
  return process.platform === "linux" ? startTimeFromProc(pid) : startTimeFromPs(pid);
}

/** True while exactly this process runs. */
export async function isRunning(known: BackgroundProcess): Promise<boolean> {
  return (await startTimeOf(known.pid)) === known.startTime;
}

async function startTimeFromProc(pid: number): Promise<string | null> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, "utf8");
    // The name in parentheses may hold anything; behind it: state, ppid, …, and as the twentieth the start time.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const ended = fields[0] === "Z" || fields[0] === "X";
    return ended ? null : (fields[19] ?? null);
  } catch (error) {
    if (hasCode(error, "ENOENT") || hasCode(error, "ESRCH")) return null;
    throw error;
  }
}

async function startTimeFromPs(pid: number): Promise<string | null> {
  try {
    const { stdout } = await run("ps", ["-o", "stat=,lstart=", "-p", String(pid)], { env: { LC_ALL: "C" } });
    const [state, ...start] = stdout.trim().split(/\s+/);
    return state === undefined || state.startsWith("Z") ? null : start.join(" ");
  } catch (error) {
    // ps ends with 1 where no process matches.
    if (error instanceof Error && "code" in error && error.code === 1) return null;
    throw error;
  }
}
