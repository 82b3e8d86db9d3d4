import { z } from "zod";
import type { Manifest } from "./manifest.js";
import { progressPercent } from "./progress.js";
import { TestCounts } from "./reports/report.js";
import { summaryOf } from "./step-summary.js";
import { stepOrder } from "./steps.js";

/** What the tests said on the untouched code, and what they said last; null: nothing yet. */
export const TestsView = z.object({ before: TestCounts.nullable(), now: TestCounts.nullable() });
export type TestsView = z.infer<typeof TestsView>;

export const NO_TESTS: TestsView = { before: null, now: null };

/** How far a migration is, in numbers. */
export interface Tally {
  /** Of all steps. */
  readonly completed: number;
  readonly total: number;
  /** Whole per cent, as `progressPercent` counts. */
  readonly percent: number;
  readonly tests: TestsView;
}

/** How far a migration is, from what its manifest records. */
export function tallyOf(manifest: Manifest): Tally {
  const { done, total } = summaryOf(manifest.steps).all;
  return {
    completed: done,
    total,
    percent: progressPercent(manifest),
    tests: testsOf(manifest),
  };
}

/** The tests of the baseline, and of the last completed step that ran them. */
export function testsOf(manifest: Manifest): TestsView {
  const { tests } = summaryOf(manifest.steps);
  const last = tests.size === 0 ? undefined : stepOrder(manifest).findLast((id) => tests.has(id));
  return { before: manifest.baseline?.counts ?? null, now: tests.get(last ?? "") ?? null };
}

/** Test counts as people read them: `163 passed, 1 skipped`. */
export function testsText(counts: TestCounts): string {
  const parts = [
    counts.failed > 0 ? `${counts.failed} failed` : "",
    `${counts.passed} passed`,
    counts.skipped > 0 ? `${counts.skipped} skipped` : "",
  ];
  return parts.filter((part) => part !== "").join(", ");
}
