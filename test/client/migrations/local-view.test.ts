import { describe, expect, it } from "vitest";
import { localGates, localPlan, localProgress } from "../../../src/client/migrations/local-view.js";
import { Manifest } from "../../../src/model/manifest.js";
import { ProgressView } from "../../../src/model/messages.js";

const COMMIT = "0123456789abcdef0123456789abcdef01234567";

function manifest(changes: object = {}): Manifest {
  return Manifest.parse({
    id: "mig_20260101_000000_app-aaaaaa",
    created_at: "2026-01-01T00:00:00.000Z",
    source_info: { path: "/projects/app" },
    target_info: { target: "python3" },
    phases: {
      understand: { status: "completed" },
      guardrail: { status: "completed" },
      migrate: { status: "in_progress" },
      verify: { status: "pending" },
    },
    mode: "spec",
    step_order: ["one", "two", "three"],
    steps: {
      three: { phase: "migrate", status: "pending" },
      one: { phase: "migrate", status: "completed", attempts: 1, commit: COMMIT, duration_ms: 12 },
      two: {
        phase: "migrate",
        status: "completed",
        attempts: 3,
        skipped: { reason: "not here", by: "Ann", at: "2026-01-01T00:00:00.000Z" },
      },
    },
    ...changes,
  });
}

describe("localProgress", () => {
  it("has the shape in which the workflow answers", () => {
    const view = localProgress(
      manifest({ lease: { step: "three", attempt: 2, execution: 1, token: "t" } }),
      null,
    );
    expect(ProgressView.parse(view)).toEqual(view);
    expect(view).toMatchObject({
      phase: "migrate",
      status: "in_progress",
      steps: { completed: 2, total: 3, current: { id: "three", attempt: 2 } },
    });
  });

  it("shows nothing as running in a migration that is over", () => {
    const over = manifest({
      status: "stopped",
      lease: { step: "three", attempt: 2, execution: 1, token: "t" },
    });
    expect(localProgress(over, null).steps.current).toBeNull();
  });

  it("reads an adopted migration without Towpath's own keys", () => {
    const adopted = manifest({ mode: undefined, steps: undefined, step_order: undefined, status: "active" });
    expect(localProgress(adopted, null)).toMatchObject({
      mode: "hands-on",
      status: "in_progress",
      steps: { total: 0 },
    });
  });
});

describe("localPlan", () => {
  it("lists the steps in the order in which they run", () => {
    expect(localPlan(manifest(), null).recent.map((step) => [step.id, step.status, step.note])).toEqual([
      ["one", "completed", ""],
      ["two", "skipped", "by Ann: not here"],
      ["three", "pending", ""],
    ]);
  });

  it("keeps a step that the order forgot", () => {
    const ids = localPlan(manifest({ step_order: ["one"] }), null).recent.map((step) => step.id);
    expect(ids.sort()).toEqual(["one", "three", "two"]);
  });
});

describe("localGates", () => {
  it("brings each gate together with its approvals", () => {
    const gates = localGates(
      manifest({
        gates: { understand: { open: true, checked_at: "", tree: COMMIT, refusals: [], evidence: ["docs"] } },
        approvals: [
          { phase: "understand", verdict: "approved", by: "Ann", at: "", tree: COMMIT },
          { phase: "guardrail", verdict: "approved", by: "Bob", at: "", tree: COMMIT },
        ],
      }),
    );
    expect(gates).toHaveLength(1);
    expect(gates[0]).toMatchObject({
      phase: "understand",
      open: true,
      evidence: ["docs"],
      approvals: [{ by: "Ann" }],
    });
  });
});
