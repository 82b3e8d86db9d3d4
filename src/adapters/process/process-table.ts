import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { TowpathError } from "../../model/errors.js";
import { hasCode } from "../../model/system-errors.js";

/** Variable whose value marks a command and all that it starts. */
export const MARK_VARIABLE = "TOWPATH_PROCESS_MARK";

/** A living process (zombies are not listed). */
export interface ProcessEntry {
  readonly pid: number;
  readonly ppid: number;
  readonly pgid: number;
  /** 0 where the system does not tell. */
  readonly session: number;
  /** Opaque; together with the pid it names one process for ever. */
  readonly startTime: string;
  /** The mark in its environment; read only when asked, null when there is none or it may not be read. */
  readonly mark: () => string | null;
}

/** All living processes that this user can see; on Linux only those that `mayMatter` has not ruled out by their pid. */
export function listProcesses(mayMatter?: (pid: number) => boolean): ProcessEntry[] {
  return process.platform === "linux" ? listFromProc(mayMatter) : listFromPs();
}

/** The start time of a living process, or null when there is none with this pid. */
export function processStartTime(pid: number): string | null {
  if (process.platform === "linux") return readProcEntry(pid)?.startTime ?? null;
  return listFromPs(pid).find((entry) => entry.pid === pid)?.startTime ?? null;
}

/**
 * The start time of a child that has not been waited for, so that it is listed even if it has ended; null where the
 * system does not list it then.
 */
export function childStartTime(pid: number): string | null {
  return process.platform === "linux" ? (readProcStat(pid)?.startTime ?? null) : processStartTime(pid);
}

/** True when the process with this pid is still the one that started at `startTime`. */
export function processAlive(pid: number, startTime: string): boolean {
  return processStartTime(pid) === startTime;
}

/** True when it is certain that a process with start time `a` began before one with start time `b`. */
export function startedBefore(a: string, b: string): boolean {
  const [bootOfA, ticksOfA] = a.split("/");
  const [bootOfB, ticksOfB] = b.split("/");
  return bootOfA === bootOfB && Number(ticksOfA) < Number(ticksOfB);
}

function listFromProc(mayMatter: (pid: number) => boolean = () => true): ProcessEntry[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter(mayMatter)
    .flatMap((pid) => readProcEntry(pid) ?? []);
}

let bootId: string | undefined;

/** Start times count from the boot; this tells the boots apart. */
function currentBoot(): string {
  bootId ??= readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  return bootId;
}

function readProcEntry(pid: number): ProcessEntry | null {
  const entry = readProcStat(pid);
  return entry === null || entry.state === "Z" || entry.state === "X" ? null : entry;
}

/** Zombies included. */
function readProcStat(pid: number): (ProcessEntry & { readonly state: string }) | null {
  const stat = readProcFile(pid, "stat");
  if (stat === null) return null;
  // The name, in parentheses, may hold anything; what follows the last one is: state ppid pgrp session … (proc_pid_stat(5)).
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [state = "", ppid, pgid, session] = fields;
  const startTicks = fields[19];
  if (startTicks === undefined) return null;
  return {
    state,
    pid,
    ppid: Number(ppid),
    pgid: Number(pgid),
    session: Number(session),
    startTime: `${currentBoot()}/${startTicks}`,
    mark: () => markIn(readProcFile(pid, "environ") ?? "", "\0"),
  };
}

/** Null when the process is gone, or is somebody else's. */
function readProcFile(pid: number, name: "stat" | "environ"): string | null {
  try {
    return readFileSync(`/proc/${pid}/${name}`, "latin1");
  } catch (error) {
    if (hasCode(error, "ENOENT", "ESRCH", "EACCES", "EPERM")) return null;
    throw new TowpathError("StorageFailed", `Cannot read /proc/${pid}/${name}.`, { cause: error });
  }
}

function markIn(environment: string, separator: string): string | null {
  const name = `${separator}${MARK_VARIABLE}=`;
  const text = separator + environment;
  const start = text.lastIndexOf(name);
  return start < 0 ? null : (text.slice(start + name.length).split(separator, 1)[0] ?? null);
}

const PS_COLUMNS = ["-ww", "-o", "pid=,ppid=,pgid=,stat=,lstart=,command="];

/** macOS: `-E` adds the environment to the command where the system allows it. */
function listFromPs(pid?: number): ProcessEntry[] {
  const which = pid === undefined ? ["-A", "-E"] : ["-p", String(pid)];
  try {
    const output = execFileSync("ps", [...which, ...PS_COLUMNS], {
      encoding: "utf8",
      env: { PATH: "/bin:/usr/bin", LC_ALL: "C", TZ: "UTC" },
      maxBuffer: 256 * 1024 * 1024,
      stdio: ["ignore", "pipe", "ignore"],
    });
    return parsePs(output);
  } catch (error) {
    // `ps -p` of a process that is gone exits with 1 and says nothing.
    if (pid !== undefined && error instanceof Error && "status" in error && error.status === 1) return [];
    throw new TowpathError("StorageFailed", "Cannot list the processes with ps.", { cause: error });
  }
}

const PS_LINE = /^\s*(\d+)\s+(\d+)\s+(\d+)\s+(\S+)\s+(\w{3}\s+\w{3}\s+\d+\s+[\d:]+\s+\d{4})\s(.*)$/;

/** Reads `ps -o pid=,ppid=,pgid=,stat=,lstart=,command=` in the C locale. */
export function parsePs(output: string): ProcessEntry[] {
  return output.split("\n").flatMap((line) => {
    const [, pid, ppid, pgid, state = "", startTime = "", command = ""] = PS_LINE.exec(line) ?? [];
    if (pid === undefined || state.startsWith("Z")) return [];
    return {
      pid: Number(pid),
      ppid: Number(ppid),
      pgid: Number(pgid),
      session: 0,
      startTime: startTime.replace(/\s+/g, " "),
      mark: () => markIn(command, " "),
    };
  });
}
