import { z } from "zod";
import { TowpathError } from "../model/errors.js";

export const LogLevel = z.enum(["trace", "debug", "info", "warn", "error"]);
export type LogLevel = z.infer<typeof LogLevel>;

const Address = z.string().regex(/^[^\s:]+:\d{1,5}$/, "must be host:port");

const Variables = z.object({
  TOWPATH_LOG_LEVEL: LogLevel.default("info"),
  /** Commands are heavy: more of them at once than this only makes each slower. */
  TOWPATH_MAX_ACTIVITIES: z.coerce.number().int().min(1).max(1_000).default(32),
  TOWPATH_METRICS_ADDRESS: Address.optional(),
  TOWPATH_HEALTH_ADDRESS: Address.optional(),
  /** As Temporal allows it: its versions are written `<name>.<build>`. */
  TOWPATH_DEPLOYMENT: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,64}$/, "must be letters, digits, - and _")
    .optional(),
});

export interface WorkerSettings {
  readonly logLevel: LogLevel;
  readonly maxActivities: number;
  /** `host:port`; null is a free port of the loopback interface. */
  readonly metricsAddress: string | null;
  readonly healthAddress: string | null;
  /** The deployment whose versions Temporal tells apart; null: whichever worker asks first gets the work. */
  readonly deployment: string | null;
}

/**
 * Reads the worker's settings from the environment; an empty variable is one that is not set.
 * @throws TowpathError `Usage` naming the variable
 */
export function workerSettings(env: Readonly<Record<string, string | undefined>>): WorkerSettings {
  const present = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ""));
  const parsed = Variables.safeParse(present);
  if (!parsed.success) {
    const problems = parsed.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`);
    throw new TowpathError("Usage", `The worker's settings are not valid. ${problems.join("; ")}`);
  }
  return {
    logLevel: parsed.data.TOWPATH_LOG_LEVEL,
    maxActivities: parsed.data.TOWPATH_MAX_ACTIVITIES,
    metricsAddress: parsed.data.TOWPATH_METRICS_ADDRESS ?? null,
    healthAddress: parsed.data.TOWPATH_HEALTH_ADDRESS ?? null,
    deployment: parsed.data.TOWPATH_DEPLOYMENT ?? null,
  };
}
