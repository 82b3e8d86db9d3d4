import { readdirSync, readFileSync } from "node:fs";

/** CPU time in ms, as Linux counts it: ticks of a hundredth of a second. */
export interface CpuTime {
  readonly own: number;
  /** Of the children that have ended and were waited for. */
  readonly children: number;
}

const MS_A_TICK = 10;

/** What a process and its ended children have used since they were started. */
export function cpuTime(pid: number): CpuTime {
  const fields = statFields(pid);
  const ticks = (at: number): number => Number(fields[at] ?? 0);
  return { own: (ticks(11) + ticks(12)) * MS_A_TICK, children: (ticks(13) + ticks(14)) * MS_A_TICK };
}

/** The processes that a process has started and that live. */
export function childrenOf(parent: number): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => Number(statFields(pid)[1]) === parent);
}

/** What follows the name in `/proc/<pid>/stat`: state, parent, …; empty for a process that is gone. */
function statFields(pid: number): string[] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  } catch {
    return [];
  }
}

/** Bytes that a process has had written to storage. */
export function processIo(pid: number): number {
  return Number(/^write_bytes: (\d+)$/m.exec(readFileSync(`/proc/${pid}/io`, "latin1"))?.[1] ?? 0);
}
