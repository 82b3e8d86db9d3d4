import { z } from "zod";
import { ProgressView } from "../model/messages.js";

/** Answer of `GET /migrations/<id>`, for whoever can read the worker's key; it is of this host's migrations only. */
export const MigrationAnswer = z.object({
  /** Of the worker: another build's answer may mean something else. */
  buildId: z.string(),
  /** Fingerprint of the Temporal that was asked. */
  target: z.string(),
  /** How Temporal sees the workflow: `RUNNING`, `COMPLETED`, … */
  execution: z.string(),
  progress: ProgressView,
});
export type MigrationAnswer = z.infer<typeof MigrationAnswer>;
