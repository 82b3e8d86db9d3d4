import type { Feature } from "./features.js";
import { type FoldedTest, foldTests, type TestIdentity, type TestReport } from "./reports/report.js";
import type { ResolvedFeature } from "./spec/resolve.js";

/** Marks features that stand for one test of the baseline: the report of `verify` answers for them. */
export const BASELINE_CATEGORY = "baseline test";

/**
 * One feature a test of the baseline that passed there: a test that failed or was skipped characterises nothing.
 * @param baselineCommand what was run to get the report
 */
export function featuresFromBaseline(
  baseline: TestReport,
  identity: TestIdentity,
  baselineCommand: string,
): Feature[] {
  return [...foldTests(baseline, identity)]
    .filter(([, test]) => test.status === "passed")
    .map(([id]) => ({
      id,
      category: BASELINE_CATEGORY,
      description: id,
      verification_steps: [],
      passes: true,
      characterization_test: baselineCommand,
      risk: "low",
      notes: "",
    }));
}

/** A feature of the spec's list, as `features.json` has it; whether it passes is found out by running it. */
export function featureFromSpec(feature: ResolvedFeature, passes: boolean): Feature {
  return {
    id: feature.id,
    category: feature.category,
    description: feature.description,
    verification_steps: feature.testAfter === null ? [] : [feature.testAfter],
    passes,
    characterization_test: feature.test,
    risk: feature.risk,
    notes: feature.notes,
  };
}

/** What is run to see whether a feature survived; none for one that a test report answers for. */
export function verificationCommands(feature: Feature): readonly string[] {
  if (feature.category === BASELINE_CATEGORY) return [];
  if (feature.verification_steps.length > 0) return feature.verification_steps;
  return feature.characterization_test === "" ? [] : [feature.characterization_test];
}

/** The features of the baseline with what the report behind the migration says of each. */
export function verifyBaselineFeatures(
  features: readonly Feature[],
  after: TestReport | null,
  identity: TestIdentity,
): Feature[] {
  const tests = after === null ? new Map<string, FoldedTest>() : foldTests(after, identity);
  return features.map((feature) =>
    feature.category === BASELINE_CATEGORY
      ? { ...feature, passes: tests.get(feature.id)?.status === "passed" }
      : feature,
  );
}
