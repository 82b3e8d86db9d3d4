import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { replacedKeys, settle, withValue } from "../../src/model/derived.js";
import { applyPatches, deepFreeze, diff } from "../../src/model/json-patch.js";
import { checkedManifest, nextManifest } from "../../src/model/manifest-chain.js";
import type { Manifest, StepRecord } from "../../src/model/manifest.js";
import { progressPercent } from "../../src/model/progress.js";
import { summaryOf } from "../../src/model/step-summary.js";
import { recordedSteps, stepOrder, withStepRecord } from "../../src/model/steps.js";
import { tallyOf, testsOf } from "../../src/model/tally.js";
import { createManifest } from "../../src/model/transitions.js";

const NOW = new Date("2026-01-01T00:00:00.000Z");

const record: fc.Arbitrary<StepRecord> = fc.record(
  {
    status: fc.constantFrom("pending", "in_progress", "completed", "failed"),
    phase: fc.constantFrom("understand", "migrate"),
    attempts: fc.nat({ max: 3 }),
    started_at: fc.constant(""),
    completed_at: fc.constant(""),
    duration_ms: fc.nat({ max: 9 }),
    skipped: fc.constant({ by: "ann", reason: "no need", at: NOW.toISOString() }),
    tolerated: fc.constant(true),
    tests: fc.constantFrom(
      { total: 1, passed: 1, failed: 0, skipped: 0 },
      { total: 3, passed: 2, failed: 1, skipped: 0 },
    ),
    outputs: fc.constantFrom({ version: "1" }, { version: "2", other: "x" }),
  },
  { requiredKeys: ["status", "phase", "attempts", "started_at", "completed_at", "duration_ms"] },
);
const id = fc.constantFrom("one", "two", "three", "four");

function manifestWith(steps: Record<string, StepRecord>): Manifest {
  const base = createManifest({
    id: "mig_20260101_120000_app-0abcff",
    now: NOW,
    source: "/src/app",
    target: "next",
    mode: "spec",
  });
  return { ...base, steps, step_order: ["two", "one", "three"] };
}

/** As somebody has it who has only read it. */
function forgetful(manifest: Manifest): Manifest {
  return structuredClone(manifest);
}

describe("step records of which one is replaced at a time", () => {
  const history = fc.record({
    begin: fc.dictionary(id, record, { noNullPrototype: true }),
    changes: fc.array(fc.tuple(id, record), { maxLength: 12 }),
  });

  it("are counted, summed up and measured as if they were read anew", () => {
    fc.assert(
      fc.property(history, ({ begin, changes }) => {
        let manifest = manifestWith(begin);
        for (const [step, changed] of changes) {
          summaryOf(manifest.steps);
          manifest = withStepRecord(manifest, step, changed);
          const anew = forgetful(manifest);
          expect(summaryOf(manifest.steps)).toEqual(summaryOf(anew.steps));
          expect(tallyOf(manifest)).toEqual(tallyOf(anew));
          expect(progressPercent(manifest)).toBe(progressPercent(anew));
          const records = recordedSteps(anew) ?? [];
          const tested = records.findLast((one) => one.record.status === "completed" && one.record.tests);
          expect(testsOf(manifest).now).toEqual(tested?.record.tests ?? null);
        }
      }),
    );
  });

  it("differ, are checked and frozen as if nothing were known of where they come from", () => {
    fc.assert(
      fc.property(history, ({ begin, changes }) => {
        let before = nextManifest(null, manifestWith(begin), NOW.toISOString());
        for (const [step, changed] of changes) {
          const twice = withStepRecord(
            withStepRecord(before, step, { ...changed, attempts: 9 }),
            step,
            changed,
          );
          expect(replacedKeys(before.steps, twice.steps ?? {})).toEqual(new Set([step]));
          const anew = forgetful(twice);
          expect(applyPatches(before, [diff(before, twice)])).toEqual(anew);
          expect(checkedManifest(before, twice)).toEqual(checkedManifest(before, anew));
          before = nextManifest(before, twice, NOW.toISOString());
          expect(Object.values(before.steps ?? {}).every((one) => Object.isFrozen(one))).toBe(true);
          settle(before.steps ?? {});
        }
      }),
    );
  });

  it("are refused where the replaced one is wrong", () => {
    const before = nextManifest(null, manifestWith({}), NOW.toISOString());
    const wrong = withStepRecord(before, "one", JSON.parse('{"status": "odd", "phase": "migrate"}'));
    expect(() => checkedManifest(before, wrong)).toThrow(/steps\.one\.status/);
  });

  it("come in the order in which they run, unlisted ones last", () => {
    const times = { started_at: "", completed_at: "", duration_ms: 0 };
    const pending: StepRecord = { status: "pending", phase: "migrate", attempts: 0, ...times };
    const steps = { one: pending, four: pending, two: pending };
    expect(stepOrder(manifestWith(steps))).toEqual(["two", "one", "four"]);
  });
});

describe("what is known of a large record", () => {
  it("is where it comes from, until that is settled", () => {
    const first = { a: 1, b: 2 };
    const second = withValue(first, "a", 3);
    const third = withValue(second, "c", 4);
    expect(replacedKeys(first, third)).toEqual(new Set(["a", "c"]));
    expect(replacedKeys(second, third)).toBeNull();
    settle(second);
    expect(replacedKeys(second, withValue(second, "b", 5))).toEqual(new Set(["b"]));
    expect(replacedKeys(first, { ...third })).toBeNull();
  });

  it("is enough to freeze and compare ten thousand values by looking at one", () => {
    const before = Object.fromEntries(Array.from({ length: 10_000 }, (_, n) => [`s${n}`, { n }]));
    deepFreeze(before);
    const after: Record<string, { n: number }> = withValue(before, "s7", { n: -1 });
    // Against the rule, and so a way to tell: nobody looks there.
    after["s8"] = { n: -1 };
    expect(diff(before, after)).toEqual([{ op: "replace", path: "/s7/n", value: -1 }]);
    deepFreeze(after);
    expect([Object.isFrozen(after["s7"]), Object.isFrozen(after["s8"])]).toEqual([true, false]);
  });
});
