import { z } from "zod";
import { TowpathError } from "./errors.js";

/** The order is the migration's: a phase is entered only through the gate of the one before it. */
export const PHASES = ["understand", "guardrail", "migrate", "verify"] as const;

export const Phase = z.enum(PHASES);
export type Phase = z.infer<typeof Phase>;

export const PhaseStatus = z.enum(["pending", "in_progress", "completed", "failed"]);
export type PhaseStatus = z.infer<typeof PhaseStatus>;

/**
 * Reads a phase's name as a user wrote it.
 * @throws TowpathError `UnknownPhase`
 */
export function parsePhase(name: string): Phase {
  const parsed = Phase.safeParse(name);
  if (!parsed.success) throw new TowpathError("UnknownPhase", `Unknown phase: ${name}`);
  return parsed.data;
}

/** The phase behind `phase`, or null behind `verify`. */
export function nextPhase(phase: Phase): Phase | null {
  return PHASES[PHASES.indexOf(phase) + 1] ?? null;
}

/** The phase in front of `phase`, or null in front of `understand`. */
export function previousPhase(phase: Phase): Phase | null {
  return PHASES[PHASES.indexOf(phase) - 1] ?? null;
}
