import { type FoldedTest, foldTests, type TestIdentity, type TestReport } from "./report.js";

/** Differences between two reports, by identity, each sorted. */
export interface ReportComparison {
  /** Fail now and did not fail in the baseline, tests that are new included. */
  readonly newFailures: readonly string[];
  /** Skipped now, and in the baseline not skipped. */
  readonly newlySkipped: readonly string[];
  /** In the baseline, and not reported now. */
  readonly missing: readonly string[];
  /** Missing or newly skipped, as the spec allows; in neither list above. */
  readonly allowedGone: readonly string[];
  /** Failed in the baseline and pass now. */
  readonly fixed: readonly string[];
  /** Not in the baseline, whatever their status. */
  readonly added: readonly string[];
  /** Reported with fewer cases than in the baseline (fewer parameters, or duplicates of a name). */
  readonly fewerCases: readonly string[];
  /** Tests of the same status in both, by status. */
  readonly unchanged: { readonly passed: number; readonly failed: number; readonly skipped: number };
}

export interface CompareOptions {
  readonly identity: TestIdentity;
  /** Identities that may be missing or skipped; never ones that may fail. */
  readonly allowed?: readonly string[];
}

/** Compares a report with that of the untouched code. Tests are matched by identity, not counted. */
export function compareReports(
  baseline: TestReport,
  now: TestReport,
  options: CompareOptions,
): ReportComparison {
  const before = foldTests(baseline, options.identity);
  const after = foldTests(now, options.identity);
  const allowed = new Set(options.allowed);
  const select = (tests: ReadonlyMap<string, FoldedTest>, wanted: Wanted): string[] =>
    [...tests.keys()].filter((id) => wanted(before.get(id), after.get(id))).sort();

  const missing = select(before, (_, test) => test === undefined);
  const newlySkipped = select(before, (was, test) => test?.status === "skipped" && was?.status !== "skipped");
  const unchanged = (status: FoldedTest["status"]) =>
    select(before, (was, test) => was?.status === status && test?.status === status).length;
  return {
    newFailures: select(after, (was, test) => test?.status === "failed" && was?.status !== "failed"),
    newlySkipped: newlySkipped.filter((id) => !allowed.has(id)),
    missing: missing.filter((id) => !allowed.has(id)),
    allowedGone: [...missing, ...newlySkipped].filter((id) => allowed.has(id)).sort(),
    fixed: select(before, (was, test) => was?.status === "failed" && test?.status === "passed"),
    added: select(after, (was) => was === undefined),
    fewerCases: select(before, (was, test) => (test?.cases ?? Infinity) < (was?.cases ?? 0)),
    unchanged: {
      passed: unchanged("passed"),
      failed: unchanged("failed"),
      skipped: unchanged("skipped"),
    },
  };
}

type Wanted = (was: FoldedTest | undefined, test: FoldedTest | undefined) => boolean;

/** The answer of a gate, in sentences. */
export interface TestGateVerdict {
  readonly open: boolean;
  /** What holds the gate closed; empty when it is open. */
  readonly reasons: readonly string[];
  /** What else a person may want to know. */
  readonly evidence: readonly string[];
}

const NAMED_AT_MOST = 20;

/** The rule `no-new-failures`: no test of the baseline fails anew, is gone, or is skipped anew, and no new test fails. */
export function judgeNoNewFailures(comparison: ReportComparison): TestGateVerdict {
  const { unchanged } = comparison;
  const reasons = [
    named("failing, and not failing in the baseline", comparison.newFailures),
    named("in the baseline and missing from the report", comparison.missing),
    named("skipped, and not skipped in the baseline", comparison.newlySkipped),
  ].flat();
  const evidence = [
    `Unchanged: ${unchanged.passed} passed, ${unchanged.failed} failed, ${unchanged.skipped} skipped.`,
    ...named("missing or skipped as allowed", comparison.allowedGone),
    ...named("fixed", comparison.fixed),
    ...named("added", comparison.added),
    ...named("reported with fewer cases than in the baseline", comparison.fewerCases),
  ];
  return { open: reasons.length === 0, reasons, evidence };
}

/** "2 tests fixed: a; b", or nothing for no test. */
function named(what: string, identities: readonly string[]): string[] {
  if (identities.length === 0) return [];
  const more = identities.length - NAMED_AT_MOST;
  const names = identities.slice(0, NAMED_AT_MOST).join("; ") + (more > 0 ? `; … and ${more} more` : "");
  return [`${identities.length} ${identities.length === 1 ? "test" : "tests"} ${what}: ${names}`];
}
