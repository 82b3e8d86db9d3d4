import { readFileSync } from "node:fs";
import { TowpathError } from "../../model/errors.js";

/** What Linux tells about the processes of the whole machine. */
export interface ForkCount {
  /** Processes and threads made since the machine was started. */
  readonly forks: number;
  /** Processes and threads that there are now. */
  readonly tasks: number;
  /** One more than the highest pid. */
  readonly pidMax: number;
}

/**
 * Tells by its pid that a process is older than a run, without looking at it. Linux gives pids out in ascending order,
 * passing over those in use, and begins again at the lowest behind the highest. As long as too few were given out for
 * that, everything that a run started has a higher pid than its first process.
 */
export class YoungerPids {
  readonly #before: ForkCount;

  /** @param count asked for now, and again when pids are judged */
  constructor(private readonly count: () => ForkCount = readForkCount) {
    this.#before = count();
  }

  /** A filter that lets the pids through which may be the run's; undefined where all of them may be. */
  than(first: number | undefined): ((pid: number) => boolean) | undefined {
    if (first === undefined) return undefined;
    const { forks, tasks, pidMax } = this.count();
    const made = forks - this.#before.forks;
    // Each pid that was passed over was in use: by a task that there was before, or by one made since.
    const highest = first + 2 * made + this.#before.tasks + tasks;
    if (highest >= pidMax) return undefined;
    return (pid) => pid >= first;
  }
}

/** For a run that is about to begin; undefined where the system counts otherwise. */
export function youngerPids(): YoungerPids | undefined {
  return process.platform === "linux" ? new YoungerPids() : undefined;
}

function readForkCount(): ForkCount {
  return {
    forks: numberIn("/proc/stat", /^processes (\d+)$/m),
    tasks: numberIn("/proc/loadavg", /\/(\d+) /),
    pidMax: numberIn("/proc/sys/kernel/pid_max", /^(\d+)/),
  };
}

function numberIn(path: string, pattern: RegExp): number {
  const found = Number(pattern.exec(readFileSync(path, "latin1"))?.[1] ?? Number.NaN);
  if (Number.isSafeInteger(found)) return found;
  throw new TowpathError("Internal", `${path} does not tell what Linux tells there`);
}
