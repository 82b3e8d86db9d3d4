import { describe, expect, it } from "vitest";
import type { Manifest } from "../../src/model/manifest.js";
import { recoveredState } from "../../src/model/recovery.js";
import { createManifest } from "../../src/model/transitions.js";

const ID = "mig_20260101_120000_app-0abcff";
const BASE = "a".repeat(40);
const STEP = { phase: "migrate" as const, status: "pending" as const, attempts: 0 };
const TIMES = { started_at: "", completed_at: "", duration_ms: 0 };
const VIEW = { rule: "nothing-persisted" as const, source: null, sha: null, why: "", notices: [] };

function manifestWith(more: Partial<Manifest>): Manifest {
  const now = new Date("2026-01-01T12:00:00.000Z");
  const made = createManifest({ id: ID, now, source: "/src/app", target: "next", mode: "spec" });
  return { ...made, base_commit: BASE, ...more };
}

describe("what a workflow takes over that goes on from the directory", () => {
  it("stands where the manifest stands", () => {
    const { phases } = manifestWith({});
    const { understand, guardrail } = phases;
    const manifest = manifestWith({
      status: "paused",
      phases: {
        ...phases,
        ...(understand === undefined ? {} : { understand: { ...understand, status: "completed" } }),
        ...(guardrail === undefined ? {} : { guardrail: { ...guardrail, status: "in_progress" } }),
      },
      steps: { one: { ...STEP, ...TIMES, status: "completed", attempts: 1 }, two: { ...STEP, ...TIMES } },
      step_order: ["one", "two"],
    });
    expect(recoveredState(manifest)).toMatchObject({
      phase: "guardrail",
      phases: { understand: "completed", guardrail: "in_progress", migrate: "pending" },
      paused: true,
      prepared: true,
      completedSteps: 1,
      totalSteps: 2,
      workspace: { branch: `towpath/${ID}`, baseCommit: BASE },
    });
  });

  it("looks at the preparation again while no step was tried", () => {
    expect(recoveredState(manifestWith({ steps: { one: { ...STEP, ...TIMES } } })).prepared).toBe(false);
  });

  it("counts on above everything that the lost workflow counted", () => {
    expect(recoveredState(manifestWith({ revision: 40 })).operations).toBeGreaterThan(80);
    const lease = { step: "one", attempt: 1, turn: 999, execution: 2 };
    expect(recoveredState(manifestWith({ revision: 40, lease })).operations).toBeGreaterThan(999);
  });

  it("decides again on a requirements document that was to be made and was not", () => {
    const decided = { ...VIEW, action: "generate" as const };
    expect(recoveredState(manifestWith({ requirements: decided })).requirements).toBeNull();
    const made = { ...decided, source: "generated" as const, sha: "b".repeat(64) };
    expect(recoveredState(manifestWith({ requirements: made })).requirements).toEqual(made);
  });

  it.each(["completed", "stopped", "rejected", "failed"])("is nothing where it is %s", (status) => {
    expect(() => recoveredState(manifestWith({ status }))).toThrow(`${ID} is over (${status})`);
  });

  it("is nothing where it never had a worktree", () => {
    const { base_commit: _, ...unbegun } = manifestWith({});
    expect(() => recoveredState(unbegun)).toThrow("had not begun");
  });
});
