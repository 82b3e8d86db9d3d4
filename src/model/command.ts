import { z } from "zod";

/** Identifies one run of a command beyond its own lifetime; plain JSON, so that a successor can end it. */
export const ProcessIdentity = z.object({
  pid: z.int().positive(),
  /** The command leads its own process group and session. */
  pgid: z.int().positive(),
  /** Opaque; differs for two processes that had the same pid. */
  startTime: z.string(),
  /** Value of TOWPATH_PROCESS_MARK in the environment of the command and all that it starts. */
  mark: z.string().min(1),
});
export type ProcessIdentity = z.infer<typeof ProcessIdentity>;

/** How the run ended; `exited` also when a signal that was not ours killed it. */
export const CommandEnd = z.enum(["exited", "timeout", "idle-timeout", "cancelled", "spawn-failed"]);
export type CommandEnd = z.infer<typeof CommandEnd>;

/** What a command's run came to. The text is redacted and free of escape sequences; the log file has all of it. */
export const CommandOutcome = z.object({
  /** Null when a signal ended it, or when it never started. */
  exitCode: z.int().nullable(),
  signal: z.string().nullable(),
  end: CommandEnd,
  durationMs: z.number().nonnegative(),
  /** The first characters of the output, at most HEAD_LENGTH. */
  head: z.string(),
  /** The last characters of what follows `head`, at most TAIL_LENGTH; "" when `head` is all. */
  tail: z.string(),
  /** Characters between `head` and `tail`. */
  omitted: z.int().nonnegative(),
  /** Bytes that the command wrote. */
  bytes: z.int().nonnegative(),
});
export type CommandOutcome = z.infer<typeof CommandOutcome>;

/** True when the command ran to its end with exit code 0. */
export function succeeded(outcome: Pick<CommandOutcome, "end" | "exitCode">): boolean {
  return outcome.end === "exited" && outcome.exitCode === 0;
}
