import { afterAll, beforeAll, describe, inject } from "vitest";
import { Cluster, type ClusterOptions } from "./cluster.js";

/** Building the server may be part of it. */
const SET_UP_LIMIT_MS = 1_800_000;

/** Tests of a Temporal cluster of their own; skipped, by name, on a machine that cannot run one. */
export const describeOnCluster = inject("clusterProblem") === null ? describe : describe.skip;

/**
 * Starts a cluster before the tests of a suite, and ends it behind them.
 * @returns what answers the running cluster in hooks and tests
 */
export function useCluster(options: () => Promise<ClusterOptions> = async () => ({})): () => Cluster {
  let running: Cluster | null = null;
  beforeAll(async () => {
    running = await Cluster.start(await options());
  }, SET_UP_LIMIT_MS);
  afterAll(() => running?.remove());
  return () => {
    if (running === null) throw new Error("the cluster is not started yet: ask for it in hooks and tests");
    return running;
  };
}
