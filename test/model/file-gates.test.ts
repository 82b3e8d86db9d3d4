import { describe, expect, it } from "vitest";
import { type FileFacts, fileGateRefusals, phaseGateError } from "../../src/model/file-gates.js";
import type { Manifest, StepRecord } from "../../src/model/manifest.js";
import type { Phase } from "../../src/model/phases.js";
import { createManifest } from "../../src/model/transitions.js";

const nothing: FileFacts = { docsEntries: 0, seamsText: null, featuresText: null, planText: null };
const json = (value: unknown): string => JSON.stringify(value);
const failing = (count: number): unknown[] => Array.from({ length: count }, (_, i) => ({ id: `f${i}` }));

const TABLE: [string, Phase, Partial<FileFacts>, string[]][] = [
  ["nothing at all", "understand", {}, ["no documentation generated in docs/", "seams.json does not exist"]],
  ["documents only", "understand", { docsEntries: 1 }, ["seams.json does not exist"]],
  ["documents and an empty list of seams", "understand", { docsEntries: 1, seamsText: "[]" }, []],
  ["documents and wrapped seams", "understand", { docsEntries: 1, seamsText: '{"seams": []}' }, []],
  ["no features file", "guardrail", {}, ["features.json not found"]],
  ["no features", "guardrail", { featuresText: '{"features": []}' }, ["no features defined"]],
  [
    "one failing feature",
    "guardrail",
    { featuresText: json([{ id: "a" }, { id: "b", passes: true }]) },
    ["1 characterization tests not passing (a)"],
  ],
  [
    "many failing features",
    "guardrail",
    { featuresText: json(failing(7)) },
    ["7 characterization tests not passing (f0, f1, f2, f3, f4)"],
  ],
  ["all features passing", "guardrail", { featuresText: json([{ id: "a", passes: true }]) }, []],
  ["no plan", "migrate", {}, ["migration-plan.json not found"]],
  ["a plan without steps", "migrate", { planText: "{}" }, ["no steps defined"]],
  [
    "open steps",
    "migrate",
    {
      planText: json({
        steps: ["completed", "failed", "in_progress", "pending"].map((status) => ({ id: status, status })),
      }),
    },
    ["3 steps not completed (failed, in_progress, pending)"],
  ],
  ["all steps completed", "migrate", { planText: json([{ id: "a", status: "completed" }]) }, []],
  ["no files", "verify", {}, []],
];

describe("file gates", () => {
  it.each(TABLE)("with %s, leaving %s", (_, phase, facts, refusals) => {
    expect(fileGateRefusals(phase, { ...nothing, ...facts })).toEqual(refusals);
  });

  it.each<[string, Phase, Partial<FileFacts>, RegExp]>([
    [
      "seams that do not parse",
      "understand",
      { docsEntries: 1, seamsText: "[" },
      /^seams\.json is invalid: not valid JSON/,
    ],
    [
      "seams that do not validate",
      "understand",
      { docsEntries: 1, seamsText: json([{ id: "s", confidence: 2 }]) },
      /^seams\.json is invalid: seams\[0\]\.confidence/,
    ],
    [
      'the string "false" for passes',
      "guardrail",
      { featuresText: json([{ id: "a", passes: "false" }]) },
      /^features\.json is invalid: features\[0\]\.passes/,
    ],
    ["features that are no list", "guardrail", { featuresText: "{}" }, /^features\.json is invalid: /],
    ["a plan that does not parse", "migrate", { planText: "" }, /^migration-plan\.json is invalid: /],
    [
      "a plan with an unknown dependency",
      "migrate",
      { planText: json([{ id: "a", status: "completed", depends_on: ["z"] }]) },
      /^migration-plan\.json is invalid: .*there is no step 'z'/,
    ],
  ])("refuses %s, leaving %s", (_, phase, facts, refusal) => {
    expect(fileGateRefusals(phase, { ...nothing, ...facts })).toEqual([expect.stringMatching(refusal)]);
  });

  it("prefixes the error once, however much is refused", () => {
    const error = phaseGateError("understand", fileGateRefusals("understand", nothing));
    expect(error.type).toBe("PhaseGate");
    expect(error.message).toBe(
      "Phase gate failed: no documentation generated in docs/; seams.json does not exist",
    );
  });
});

describe("a migration with step records", () => {
  const claim = { ...nothing, planText: json([{ id: "a", status: "completed" }]) };

  it("is not let through by a plan that claims its steps completed", () => {
    const open = manifest({ a: record("migrate", "failed"), other: record("verify", "pending") });
    expect(fileGateRefusals("migrate", claim, open)).toEqual(["1 steps not completed (a)"]);
  });

  it("is let through by completed, skipped and tolerated steps", () => {
    const skipped = { reason: "r", by: "me", at: "" };
    const done = manifest({
      a: record("migrate", "completed"),
      b: record("migrate", "pending", { skipped }),
      c: record("migrate", "failed", { tolerated: true }),
    });
    expect(fileGateRefusals("migrate", nothing, done)).toEqual([]);
  });

  it("needs steps to migrate", () => {
    expect(fileGateRefusals("migrate", claim, manifest({}))).toEqual(["no steps defined"]);
  });

  it("needs the steps of every phase, besides its files", () => {
    const open = manifest({ survey: record("understand", "in_progress") });
    expect(fileGateRefusals("understand", { ...nothing, docsEntries: 1 }, open)).toEqual([
      "seams.json does not exist",
      "1 steps not completed (survey)",
    ]);
  });
});

function record(phase: Phase, status: StepRecord["status"], more: Partial<StepRecord> = {}): StepRecord {
  return { phase, status, attempts: 1, started_at: "", completed_at: "", duration_ms: 0, ...more };
}

function manifest(steps: Record<string, StepRecord>): Manifest {
  const id = "mig_20250101_000000_app";
  return createManifest({ id, now: new Date(0), source: "/s", target: "t", mode: "spec", own: { steps } });
}
