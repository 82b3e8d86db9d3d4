import { z } from "zod";

const WorkerState = z.enum([
  "WAITING",
  "INITIALIZED",
  "RUNNING",
  "STOPPED",
  "STOPPING",
  "DRAINING",
  "DRAINED",
  "FAILED",
]);

/** Answer of `GET /healthz`: HTTP 200 while `status` is `running`, else 503. */
export const HealthReport = z.object({
  status: z.enum(["starting", "running", "draining"]),
  /** Why it is still starting: what the last try met. */
  problem: z.string().nullable(),
  pid: z.int().positive(),
  hostId: z.string(),
  /** Fingerprint of the code that runs. */
  buildId: z.string(),
  /** Fingerprint of the Temporal endpoint, credentials included. */
  target: z.string(),
  temporal: z.object({ address: z.string(), namespace: z.string() }),
  queues: z.object({ workflow: z.string(), host: z.string() }),
  workers: z.object({ workflow: WorkerState, host: WorkerState }),
  versions: z.object({ towpath: z.string(), node: z.string(), sdk: z.string() }),
  metricsAddress: z.string(),
  startedAt: z.string(),
});
export type HealthReport = z.infer<typeof HealthReport>;
