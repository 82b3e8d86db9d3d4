import type { TestProject } from "vitest/node";
import { testFilesWith } from "./test-files.js";
import { clusterProblem, isCi } from "./cluster/problem.js";

declare module "vitest" {
  interface ProvidedContext {
    /** Why tests that start a cluster of their own cannot; null: they can. */
    clusterProblem: string | null;
  }
}

/**
 * Looks whether Temporal's distributed engine can be started here. Where it cannot the tests that need it are named and
 * skipped; in CI that is a failure.
 */
export default function setup(project: TestProject): void {
  const problem = clusterProblem();
  project.provide("clusterProblem", problem);
  if (problem === null) return;
  if (isCi()) throw new Error(`The tests need a Temporal cluster in CI: ${problem}`);
  const skipped = testFilesWith(/describeOnCluster\(/).map((name) => `  ${name}`);
  if (skipped.length > 0) console.error([`Skipped, ${problem}:`, ...skipped].join("\n"));
}
