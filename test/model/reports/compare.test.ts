import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compareReports, judgeNoNewFailures } from "../../../src/model/reports/compare.js";
import {
  foldTests,
  identityOf,
  type TestCase,
  TestIdentity,
  type TestReport,
  type TestStatus,
} from "../../../src/model/reports/report.js";

const status = fc.constantFrom<TestStatus>("passed", "failed", "skipped");
const name = fc.constantFrom("a", "b", "c", "d", "");
const testCase: fc.Arbitrary<TestCase> = fc.record({ classname: name, name, status });
const report: fc.Arbitrary<TestReport> = fc.record({
  tests: fc.array(testCase, { minLength: 1, maxLength: 12 }),
});
const identity = fc.constantFrom(...TestIdentity.options);

/** "a:passed b:failed" as a report. */
function reportOf(text: string): TestReport {
  const statuses = { p: "passed", f: "failed", s: "skipped" } as const;
  return {
    tests: text.split(" ").map((entry) => {
      const [test = "", as] = entry.split(":");
      return {
        classname: "c",
        name: test,
        status: as === "f" ? statuses.f : as === "s" ? statuses.s : statuses.p,
      };
    }),
  };
}

function judge(baseline: string, now: string, allowed: string[] = []) {
  const comparison = compareReports(reportOf(baseline), reportOf(now), { identity: "name", allowed });
  return { comparison, verdict: judgeNoNewFailures(comparison) };
}

const foldedStatus = (text: string) => foldTests(reportOf(text), "name").get("a")?.status;

describe("the comparison of reports", () => {
  it("is clean when nothing changed", () => {
    fc.assert(
      fc.property(report, identity, (same, by) => {
        const comparison = compareReports(same, same, { identity: by });
        expect(judgeNoNewFailures(comparison).open).toBe(true);
        const { passed, failed, skipped } = comparison.unchanged;
        expect(passed + failed + skipped).toBe(foldTests(same, by).size);
        expect([comparison.fixed, comparison.added, comparison.fewerCases]).toEqual([[], [], []]);
      }),
    );
  });

  it("names every test that is dropped", () => {
    fc.assert(
      fc.property(report, identity, fc.nat(), (baseline, by, pick) => {
        const ids = [...foldTests(baseline, by).keys()];
        const dropped = ids[pick % ids.length] ?? "";
        const kept = baseline.tests.filter((test) => identityOf(test, by) !== dropped);
        const comparison = compareReports(baseline, { tests: kept }, { identity: by });
        expect(comparison.missing).toEqual([dropped]);
        expect(judgeNoNewFailures(comparison).reasons.join()).toContain(dropped);
      }),
    );
  });

  it("names every test that is newly skipped or fails anew, and no other", () => {
    fc.assert(
      fc.property(report, report, identity, (baseline, now, by) => {
        const comparison = compareReports(baseline, now, { identity: by });
        const before = foldTests(baseline, by);
        for (const [id, test] of foldTests(now, by)) {
          const was = before.get(id)?.status;
          expect(comparison.newFailures.includes(id)).toBe(test.status === "failed" && was !== "failed");
          expect(comparison.newlySkipped.includes(id)).toBe(
            test.status === "skipped" && was !== undefined && was !== "skipped",
          );
          expect(comparison.added.includes(id)).toBe(was === undefined);
        }
      }),
    );
  });

  it.each([
    ["a:p b:p", "a:p b:p", true],
    ["a:f b:p", "a:f b:p", true],
    ["a:f b:p", "a:p b:p", true],
    ["a:s b:p", "a:p b:p", true],
    ["a:p", "a:p b:p", true],
    ["a:p", "a:p b:s", true],
    ["a:p b:p", "a:f b:p", false],
    ["a:p b:p", "a:s b:p", false],
    ["a:f b:p", "a:s b:p", false],
    ["a:s b:p", "a:f b:p", false],
    ["a:p b:p", "b:p", false],
    ["a:s b:p", "b:p", false],
    ["a:p", "a:p b:f", false],
  ])("from %s to %s the gate is open: %s", (baseline, now, open) => {
    expect(judge(baseline, now).verdict.open).toBe(open);
  });

  it("lets allowed tests be missing or skipped, as evidence, but never fail", () => {
    const { comparison, verdict } = judge("a:p b:p c:p", "b:s c:f", ["a", "b", "c"]);
    expect(comparison.allowedGone).toEqual(["a", "b"]);
    expect(verdict.reasons).toEqual(["1 test failing, and not failing in the baseline: c"]);
    expect(verdict.evidence).toContain("2 tests missing or skipped as allowed: a; b");
  });

  it("names the first twenty and counts the rest", () => {
    const names = Array.from({ length: 25 }, (_, n) => `t${String(n).padStart(2, "0")}`);
    const { verdict } = judge(["x", ...names].join(" "), "x");
    expect(verdict.reasons[0]).toMatch(/^25 tests .*: t00; .*t19; … and 5 more$/);
  });

  it("folds cases of one identity: failed before passed before skipped", () => {
    expect([foldedStatus("a:s a:p"), foldedStatus("a:p a:f a:p"), foldedStatus("a:s a:s")]).toEqual([
      "passed",
      "failed",
      "skipped",
    ]);
    expect(judge("a:p a:p", "a:p").comparison.fewerCases).toEqual(["a"]);
  });

  it.each([
    [{ classname: "c", name: "n" }, "classname-and-name" as const, "c::n"],
    [{ classname: "", name: "n" }, "classname-and-name" as const, "n"],
    [{ classname: "c", name: "n" }, "name" as const, "n"],
    [{ classname: "", name: "" }, "name" as const, "(unnamed)"],
  ])("identifies %o by %s as %s", (test, by, expected) => {
    expect(identityOf(test, by)).toBe(expected);
  });
});
