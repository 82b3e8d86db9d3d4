import { listLogs, readLogTail, type LogFile } from "../../adapters/logs/logs.js";
import type { ProgressView } from "../../model/messages.js";
import { createPlainTextStream, settleLines } from "../../model/plain-text.js";

const SHOWN_LINES = 5;
const TAIL_BYTES = 8 * 1024;

/** The last lines of what a migration's running command has written. */
export class OutputTail {
  /** @param logsDirectory the migration's `logs` */
  constructor(private readonly logsDirectory: string) {}

  /**
   * At most five lines, without anything that would move a cursor; none where nothing is written.
   * @throws TowpathError `StorageFailed`
   */
  async lines(progress: Pick<ProgressView, "phase" | "steps">): Promise<readonly string[]> {
    const log = await this.newest(progress);
    if (log === null) return [];
    const text = settleLines(plain(await readLogTail(log.path, TAIL_BYTES)));
    return text
      .split("\n")
      .filter((line) => line.trim() !== "")
      .slice(-SHOWN_LINES);
  }

  /** Between the steps the preparation's or the gate's commands run: whichever wrote last. */
  private async newest({ phase, steps }: Pick<ProgressView, "phase" | "steps">): Promise<LogFile | null> {
    const { current } = steps;
    const owners = current === null ? ["setup", "baseline", `gate-${phase}`] : [current.id];
    const logs = (await Promise.all(owners.map((owner) => listLogs(this.logsDirectory, owner)))).flat();
    const mine = current === null ? logs : logs.filter((log) => log.attempt === current.attempt);
    return mine.reduce<LogFile | null>(
      (newest, log) => (newest === null || log.modifiedAt >= newest.modifiedAt ? log : newest),
      null,
    );
  }
}

function plain(text: string): string {
  const stream = createPlainTextStream();
  return stream.push(text) + stream.end();
}
