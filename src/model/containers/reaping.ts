import { z } from "zod";

/** What became of a container that was to go. */
export const ReapedContainer = z.object({
  id: z.string(),
  name: z.string(),
  workflowId: z.string(),
  /** `killed`: it did not end by itself within the grace period. */
  result: z.enum(["stopped", "killed", "already-gone", "failed"]),
  /** Null where it never ran. */
  exitCode: z.int().nullable(),
  /** The end of its output, redacted. */
  tail: z.string(),
  /** With `failed`: why. */
  problem: z.string().nullable(),
});
export type ReapedContainer = z.infer<typeof ReapedContainer>;

/** True when nothing of what was to go is left. */
export function allGone(reaped: readonly ReapedContainer[]): boolean {
  return reaped.every(({ result }) => result !== "failed");
}
