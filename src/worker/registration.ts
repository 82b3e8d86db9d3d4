import { join } from "node:path";
import { z } from "zod";
import { readHint, removeFile, writePrivateFile } from "../adapters/temporal/files.js";
import { BackgroundProcess, identify, isRunning } from "../adapters/temporal/identity.js";
import { withLock } from "../adapters/temporal/lock.js";
import { TowpathError } from "../model/errors.js";

/** The one worker of a data directory: `<data dir>/worker/state.json`. */
export const WorkerRegistration = BackgroundProcess.extend({
  /** `host:port` below which `/healthz` answers. */
  healthAddress: z.string(),
  /** Whoever can read it here may ask about migrations there. */
  key: z.string().optional(),
  startedAt: z.string(),
});
export type WorkerRegistration = z.infer<typeof WorkerRegistration>;

const LOCK_WAIT_MS = 10_000;

export function workerPaths(dataDir: string) {
  const directory = join(dataDir, "worker");
  return {
    directory,
    state: join(directory, "state.json"),
    registerLock: join(directory, "register"),
    startLock: join(directory, "start"),
    log: join(directory, "worker.log"),
  };
}

/** The registered worker, if its process runs; a dead one's registration is as good as none. */
export async function registeredWorker(dataDir: string): Promise<WorkerRegistration | null> {
  const known = await readHint(workerPaths(dataDir).state, WorkerRegistration);
  return known !== null && isRunning(known) ? known : null;
}

/**
 * Makes this process the worker of the data directory.
 * @returns takes the registration back
 * @throws TowpathError `WrongStatus` while another worker of this data directory runs
 */
export async function registerThisWorker(
  dataDir: string,
  healthAddress: string,
  key: string,
): Promise<() => Promise<void>> {
  const { state, registerLock } = workerPaths(dataDir);
  const self = identify(process.pid);
  if (self === null) throw new TowpathError("Internal", "This process cannot be found in the process table.");
  const startedAt = new Date().toISOString();
  await withLock(registerLock, LOCK_WAIT_MS, async () => {
    const other = await registeredWorker(dataDir);
    if (other !== null && other.pid !== process.pid)
      throw new TowpathError(
        "WrongStatus",
        `A worker for ${dataDir} runs already (process ${other.pid}). \`towpath down\` ends it; one is enough.`,
        { details: { pid: other.pid } },
      );
    const registration: WorkerRegistration = { ...self, healthAddress, key, startedAt };
    await writePrivateFile(state, `${JSON.stringify(registration, null, 2)}\n`);
  });
  return () => withLock(registerLock, LOCK_WAIT_MS, () => unregister(state, process.pid));
}

/** A successor may have registered meanwhile; its registration is not ours to remove. */
async function unregister(path: string, pid: number): Promise<void> {
  const known = await readHint(path, WorkerRegistration);
  if (known?.pid === pid) await removeFile(path);
}
