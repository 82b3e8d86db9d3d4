import { z } from "zod";

export const TestStatus = z.enum(["passed", "failed", "skipped"]);
export type TestStatus = z.infer<typeof TestStatus>;

/** One test as its runner reported it. */
export const TestCase = z.object({
  /** "" where the runner gives none. */
  classname: z.string(),
  name: z.string(),
  status: TestStatus,
  /** Why it failed or was skipped; the beginning of what the runner says. */
  message: z.string().optional(),
});
export type TestCase = z.infer<typeof TestCase>;

/** What a test run reported; never empty. */
export const TestReport = z.object({ tests: z.array(TestCase).min(1) });
export type TestReport = z.infer<typeof TestReport>;

/** What makes two test cases the same test: `name` alone where a migration changes the test framework. */
export const TestIdentity = z.enum(["classname-and-name", "name"]);
export type TestIdentity = z.infer<typeof TestIdentity>;

export const TestCounts = z.object({
  total: z.int().nonnegative(),
  passed: z.int().nonnegative(),
  failed: z.int().nonnegative(),
  skipped: z.int().nonnegative(),
});
export type TestCounts = z.infer<typeof TestCounts>;

/** How many test cases the runner reported, by status. */
export function countTests(report: TestReport): TestCounts {
  const of = (status: TestStatus) => report.tests.filter((test) => test.status === status).length;
  return { total: report.tests.length, passed: of("passed"), failed: of("failed"), skipped: of("skipped") };
}

/** The identity of a test as people read and write it: `classname::name`, or the name alone. */
export function identityOf(test: Pick<TestCase, "classname" | "name">, identity: TestIdentity): string {
  const parts = identity === "name" ? [test.name] : [test.classname, test.name];
  return parts.filter((part) => part !== "").join("::") || "(unnamed)";
}

/** All test cases of one identity as one test. */
export interface FoldedTest {
  readonly status: TestStatus;
  /** How many test cases share the identity (parameters, reruns). */
  readonly cases: number;
  readonly message?: string | undefined;
}

/** A test stands for all its cases: any failed → failed, else any passed → passed, else skipped. */
const WEIGHT: Readonly<Record<TestStatus, number>> = { skipped: 0, passed: 1, failed: 2 };

/** Folds the test cases of a report by identity, in the order of their first appearance. */
export function foldTests(report: TestReport, identity: TestIdentity): Map<string, FoldedTest> {
  const folded = new Map<string, FoldedTest>();
  for (const test of report.tests) {
    const key = identityOf(test, identity);
    const known = folded.get(key);
    const decisive = known === undefined || WEIGHT[test.status] > WEIGHT[known.status] ? test : known;
    folded.set(key, {
      status: decisive.status,
      message: decisive.message,
      cases: (known?.cases ?? 0) + 1,
    });
  }
  return folded;
}
