import type { RefreshReport, RefreshRequest } from "../model/images/refresh.js";

/** What workflows ask of a host's container engine. Inputs and answers are small and hold no secrets. */
export interface EngineActivities {
  /** Pulls an image and removes what it supersedes; a second request for the same repository joins the first. */
  refreshImage(request: RefreshRequest): Promise<RefreshReport>;
  /** Removes this host's containers whose workflow is over or unknown. */
  sweepOrphans(request: SweepRequest): Promise<SweepResult>;
}

export interface SweepRequest {
  readonly hostId: string;
  /** Younger ones are left alone: their workflow may be about to be recorded. */
  readonly graceMs: number;
}

export interface SweepResult {
  /** The engine did not answer, so that there was nothing to sweep. */
  readonly engine: "swept" | "unreachable";
  readonly removed: readonly string[];
  readonly failed: readonly string[];
  /** Containers of workflows that run, or too young. */
  readonly kept: number;
}
