import { z } from "zod";
import { parseMemory } from "../../model/containers/settings.js";
import { REFRESH_DEFAULTS, type RefreshOptions } from "../../model/images/refresh.js";
import { parseDuration } from "../../model/spec/durations.js";

const Duration = z.string().transform((text, context) => {
  const ms = parseDuration(text);
  if (ms === null) context.addIssue("a duration is a whole number and a unit, as in 30m, 12h, 7d");
  return ms ?? 0;
});

const Size = z.string().transform((text, context) => {
  const bytes = parseMemory(text);
  if (bytes === null) context.addIssue("a size is a number and a unit, as in 500m, 20g");
  return bytes ?? 0;
});

/** A duration on the command line, in ms. */
export const DurationOption = Duration;

/** The options that say what a refresh keeps, as commander has them. */
export const KeepOptions = z.object({
  keep: z.coerce.number().int().min(0).max(10_000).optional(),
  minAge: Duration.optional(),
  pin: z.array(z.string().min(1)).default([]),
  keepTagged: z.boolean().default(false),
  above: Size.optional(),
  aboveDisk: z.coerce.number().min(0).max(100).optional(),
});
export type KeepOptions = z.infer<typeof KeepOptions>;

/** What a refresh is asked for. */
export function refreshOptions(options: KeepOptions, more: Partial<RefreshOptions> = {}): RefreshOptions {
  return {
    ...REFRESH_DEFAULTS,
    pins: options.pin,
    keepTagged: options.keepTagged,
    ...(options.keep === undefined ? {} : { keepNewest: options.keep }),
    ...(options.minAge === undefined ? {} : { minAgeMs: options.minAge }),
    ...(options.above === undefined ? {} : { aboveBytes: options.above }),
    ...(options.aboveDisk === undefined ? {} : { aboveDiskPercent: options.aboveDisk }),
    ...more,
  };
}
