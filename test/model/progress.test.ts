import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseFeatures } from "../../src/model/features.js";
import type { Manifest } from "../../src/model/manifest.js";
import { PHASES, type PhaseStatus } from "../../src/model/phases.js";
import { parsePlan, PlanStepStatus } from "../../src/model/plan.js";
import { planSummary } from "../../src/model/plan-summary.js";
import { progressOf, progressPercent } from "../../src/model/progress.js";
import { parseSeams } from "../../src/model/seams.js";
import { createManifest } from "../../src/model/transitions.js";
import type { Parsed } from "../../src/model/artefact-text.js";

const id = "mig_20250101_000000_app-0abcff";
const now = new Date("2025-01-01T00:00:00.000Z");
const base = createManifest({ id, now, source: "/src/app", target: "jest", mode: "hands-on" });
const NO_FACTS = { features: null, plan: null, seams: null, lastCheckpoint: null };

function value<T>(result: Parsed<T>): T {
  if (!result.ok) throw new Error(result.problems.join());
  return result.value;
}

const plan = (...steps: unknown[]): ReturnType<typeof valueOfPlan> => valueOfPlan({ steps });
const valueOfPlan = (content: unknown) => value(parsePlan(JSON.stringify(content)));

function phases(...statuses: PhaseStatus[]): Manifest["phases"] {
  return Object.fromEntries(
    PHASES.map((phase, i) => [phase, { status: statuses[i] ?? "pending", started_at: "", completed_at: "" }]),
  );
}

describe("progressOf", () => {
  it("has the exact shape that tools read", () => {
    const tag = `towpath/${id}/a/pre`;
    const progress = progressOf(
      { ...base, checkpoints: ["x", tag] },
      {
        features: value(parseFeatures('[{"id":"f","passes":true},{"id":"g"}]')),
        plan: plan({ id: "a", status: "completed" }, { id: "b", status: "in_progress" }, { id: "c" }),
        seams: value(parseSeams('[{"id":"s","priority":"high"},{"id":"t"}]')),
        lastCheckpoint: { tag, step_id: "a", created_at: "2025-01-01T01:00:00Z" },
      },
    );
    expect(progress).toEqual({
      migration_id: id,
      status: "in_progress",
      current_phase: "understand",
      phases: base.phases,
      completed_phases: [],
      source: "/src/app",
      target: "jest",
      current_step: "b",
      features: { passing: 1, total: 2 },
      steps: { current: 2, completed: 1, total: 3 },
      last_checkpoint: { tag, step_id: "a", timestamp: "2025-01-01T01:00:00Z" },
      checkpoints_count: 2,
      seams: { total: 2, high: 1, medium: 1, low: 0 },
    });
  });

  it("says null where there is nothing", () => {
    expect(progressOf(base, NO_FACTS)).toMatchObject({
      current_step: null,
      features: { passing: 0, total: 0 },
      steps: { current: 0, completed: 0, total: 0 },
      last_checkpoint: null,
      seams: null,
    });
  });

  it("tells a checkpoint's step from its tag where the file is of another one", () => {
    const manifest = { ...base, checkpoints: ["loki-migrate/old/pre"] };
    const other = { tag: "other", step_id: "x", created_at: "y" };
    expect(progressOf(manifest, { ...NO_FACTS, lastCheckpoint: other }).last_checkpoint).toEqual({
      tag: "loki-migrate/old/pre",
      step_id: "old",
      timestamp: "",
    });
  });

  it.each<[PhaseStatus[], string]>([
    [["completed", "in_progress"], "guardrail"],
    [["completed", "completed", "failed"], "guardrail"],
    [["failed"], "pending"],
    [["completed", "completed", "completed", "completed"], "verify"],
  ])("with phases %j the current one is %s", (statuses, current) => {
    expect(progressOf({ ...base, phases: phases(...statuses) }, NO_FACTS).current_phase).toBe(current);
  });

  it("tells an unknown status from the phases", () => {
    const adopted = {
      ...base,
      status: "pending",
      phases: phases("completed", "completed", "completed", "completed"),
    };
    expect(progressOf(adopted, NO_FACTS).status).toBe("completed");
  });

  it("goes by Towpath's own records where there are any, in running order", () => {
    const record = {
      phase: "migrate" as const,
      attempts: 0,
      started_at: "",
      completed_at: "",
      duration_ms: 0,
    };
    const manifest = {
      ...base,
      step_order: ["one", "two"],
      steps: {
        two: { ...record, status: "in_progress" as const },
        one: { ...record, status: "completed" as const },
      },
    };
    const progress = progressOf(manifest, { ...NO_FACTS, plan: plan({ id: "z" }, { id: "y" }, { id: "x" }) });
    expect(progress).toMatchObject({ current_step: "two", steps: { current: 2, completed: 1, total: 2 } });
  });

  it("never counts the current step above the total", () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...PlanStepStatus.options), { maxLength: 20 }), (statuses) => {
        const steps = statuses.map((status, i) => ({ id: `s${i}`, status }));
        const { current, completed, total } = progressOf(base, { ...NO_FACTS, plan: plan(...steps) }).steps;
        expect(total).toBe(statuses.length);
        expect(current).toBeLessThanOrEqual(total);
        expect(current).toBeGreaterThanOrEqual(Math.min(completed, total));
        expect(current >= 1).toBe(total > 0);
      }),
    );
  });
});

describe("progressPercent", () => {
  it.each<[PhaseStatus[], number]>([
    [["in_progress"], 0],
    [["completed", "in_progress"], 25],
    [["completed", "completed", "completed", "in_progress"], 75],
    [["completed", "completed", "completed", "completed"], 100],
  ])("with phases %j is %d", (statuses, percent) => {
    expect(progressPercent({ ...base, phases: phases(...statuses) })).toBe(percent);
  });

  it("counts the done steps of the phase in progress, and is whole and below 100 until all is done", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 50 }), fc.nat(50), (total, done) => {
        const record = {
          phase: "verify" as const,
          attempts: 0,
          started_at: "",
          completed_at: "",
          duration_ms: 0,
        };
        const steps = Object.fromEntries(
          Array.from({ length: total }, (_, i) => [
            `s${i}`,
            { ...record, status: i < done ? ("completed" as const) : ("pending" as const) },
          ]),
        );
        const manifest = {
          ...base,
          phases: phases("completed", "completed", "completed", "in_progress"),
          steps,
        };
        const percent = progressPercent(manifest);
        expect(Number.isInteger(percent)).toBe(true);
        expect(percent).toBeGreaterThanOrEqual(75);
        expect(percent).toBeLessThan(100);
        expect(percent).toBe(Math.min(99, Math.floor(75 + (Math.min(done, total) / total) * 25)));
      }),
    );
  });
});

describe("planSummary", () => {
  it("shows each step with its state, its first five files and what it needs", () => {
    const summary = planSummary(
      valueOfPlan({
        constraints: ["no downtime"],
        exit_criteria: { tests: "green", coverage: 80 },
        steps: [
          { id: "a", description: "first", type: "refactor", status: "completed", rollback_point: true },
          { id: "b", status: "in_progress", depends_on: ["a"], files: ["1", "2", "3", "4", "5", "6", "7"] },
          { id: "c", status: "failed", risk: "high" },
          { id: "d" },
        ],
      }),
    );
    expect(summary.split("\n")).toEqual([
      "Migration Plan v1",
      "Strategy: incremental",
      "Rollback: checkpoint",
      "",
      "Constraints:",
      "  - no downtime",
      "",
      "Steps (4 total):",
      "-".repeat(60),
      "  [x] a: first",
      "      Type: refactor | Risk: low",
      "      [Rollback point]",
      "",
      "  [>] b",
      "      Risk: low",
      "      Files: 1, 2, 3, 4, 5",
      "             … and 2 more",
      "      Depends on: a",
      "",
      "  [!] c",
      "      Risk: high",
      "",
      "  [ ] d",
      "      Risk: low",
      "",
      "Exit Criteria:",
      "  tests: green",
      "  coverage: 80",
    ]);
  });
});
