import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseFeatures, validateFeatures } from "../../src/model/features.js";
import { parsePlan, validatePlan } from "../../src/model/plan.js";
import { parseSeams, validateSeams } from "../../src/model/seams.js";

const json = (value: unknown): string => JSON.stringify(value);

describe("defaults", () => {
  it("gives a feature everything but its id", () => {
    expect(parseFeatures(json([{ id: "f1" }]))).toEqual({
      ok: true,
      value: [
        {
          id: "f1",
          category: "",
          description: "",
          verification_steps: [],
          passes: false,
          characterization_test: "",
          risk: "low",
          notes: "",
        },
      ],
    });
  });

  it("gives a seam everything but its id", () => {
    expect(parseSeams(json([{ id: "s1" }]))).toEqual({
      ok: true,
      value: [
        {
          id: "s1",
          description: "",
          type: "",
          location: "",
          name: "",
          priority: "medium",
          files: [],
          dependencies: [],
          complexity: "",
          confidence: 0,
          suggested_interface: "",
        },
      ],
    });
  });

  it("gives a plan and its steps everything but the ids", () => {
    expect(parsePlan(json({ steps: [{ id: "a" }] }))).toEqual({
      ok: true,
      value: {
        version: 1,
        strategy: "incremental",
        constraints: [],
        rollback_strategy: "checkpoint",
        exit_criteria: {},
        steps: [
          {
            id: "a",
            description: "",
            type: "",
            files: [],
            tests_required: [],
            estimated_tokens: 0,
            risk: "low",
            rollback_point: false,
            depends_on: [],
            assigned_agent: "",
            status: "pending",
          },
        ],
      },
    });
  });

  it("keeps keys that it does not know", () => {
    expect(parseFeatures(json([{ id: "f", owner: "me" }]))).toMatchObject({ value: [{ owner: "me" }] });
    expect(parsePlan(json({ steps: [], wave: 2 }))).toMatchObject({ value: { wave: 2 } });
  });
});

describe("wrapped and bare lists", () => {
  it("reads both alike", () => {
    const one = { id: "x", description: "d", passes: true };
    expect(parseFeatures(json({ features: [one] }))).toEqual(parseFeatures(json([one])));
    expect(parseSeams(json({ seams: [{ id: "x" }] }))).toEqual(parseSeams(json([{ id: "x" }])));
    expect(parsePlan(json([{ id: "x" }]))).toEqual(parsePlan(json({ steps: [{ id: "x" }] })));
  });
});

describe("validation", () => {
  it("names every problem of features, not only the first", () => {
    const result = validateFeatures(
      json([{ id: "a" }, { passes: "false", description: "x" }, { id: "c", passes: true }]),
    );
    expect(result.ok).toBe(false);
    expect(result.ok ? [] : result.problems).toEqual([
      expect.stringMatching(/^features\[1\]\.id: /),
      expect.stringMatching(/^features\[1\]\.passes: /),
      "features[0].description: is missing",
      "features[0].passes: is missing",
      "features[2].description: is missing",
    ]);
  });

  it("refuses an id that is used twice", () => {
    const feature = { id: "a", description: "d", passes: true };
    expect(validateFeatures(json([feature, feature]))).toEqual({
      ok: false,
      problems: ["features[1].id: 'a' is used more than once"],
    });
    expect(validatePlan(json([{ id: "a" }, { id: "a" }]))).toMatchObject({ ok: false });
  });

  it.each([
    ["a step that needs itself", [{ id: "a", depends_on: ["a"] }], /circle \(a\)/],
    [
      "a circle of two",
      [
        { id: "a", depends_on: ["b"] },
        { id: "b", depends_on: ["a"] },
      ],
      /circle/,
    ],
    ["a step that needs a missing one", [{ id: "a", depends_on: ["z"] }], /there is no step 'z'/],
    ["an id that is no file name", [{ id: "a/b" }], /must match/],
    ["a status that does not exist", [{ id: "a", status: "done" }], /steps\[0\]\.status/],
  ])("refuses a plan with %s", (_, steps, problem) => {
    const result = validatePlan(json({ steps }));
    expect(result.ok ? "" : result.problems.join("\n")).toMatch(problem);
  });

  it.each([-0.1, 1.1])("refuses the confidence %d", (confidence) => {
    expect(validateSeams(json([{ id: "s", confidence }]))).toEqual({
      ok: false,
      problems: [`seams[0].confidence: must lie between 0 and 1, but is ${confidence}`],
    });
  });

  it.each([0, 0.5, 1])("takes the confidence %d", (confidence) => {
    expect(validateSeams(json([{ id: "s", confidence }])).ok).toBe(true);
  });

  it("takes any plan whose steps need earlier ones, and refuses it once the first needs the last", () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 30 }), fc.infiniteStream(fc.nat()), (count, picks) => {
        const steps = Array.from({ length: count }, (_, index) => ({
          id: `s${index}`,
          depends_on: index === 0 ? [] : [`s${index - 1}`, `s${Number(picks.next().value) % index}`],
        }));
        expect(validatePlan(json(steps)).ok).toBe(true);
        steps[0]?.depends_on.push(`s${count - 1}`);
        expect(validatePlan(json(steps)).ok).toBe(false);
      }),
    );
  });

  it("never throws, whatever the text", () => {
    const anything = fc.oneof(fc.string(), fc.json());
    fc.assert(
      fc.property(anything, (text) => {
        for (const read of [validateFeatures, validateSeams, validatePlan])
          expect(read(text)).toHaveProperty("ok");
      }),
    );
  });

  it("copes with a plan of 10,000 steps that all need the first", () => {
    const steps = Array.from({ length: 10_000 }, (_, i) => ({
      id: `s${i}`,
      depends_on: i === 0 ? [] : ["s0"],
    }));
    expect(validatePlan(json(steps)).ok).toBe(true);
  });
});
