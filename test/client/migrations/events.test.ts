import { describe, expect, it } from "vitest";
import { eventsBetween } from "../../../src/client/migrations/events.js";
import type { Waiting } from "../../../src/model/manifest.js";
import { planView, progressView, stepView } from "./views.js";

const NOW = new Date("2026-01-01T00:05:00.000Z");
const WAITING: Waiting = {
  kind: "step-failed",
  phase: "migrate",
  step: "two",
  message: "step 'two' failed",
  since: "2026-01-01T00:04:00.000Z",
};

describe("eventsBetween", () => {
  it("tells at first all that happened", () => {
    const after = { progress: progressView(), plan: planView([stepView()]) };
    expect(eventsBetween(null, after, NOW)).toEqual([
      "phase understand completed",
      "phase guardrail completed",
      "phase migrate started",
      "step one completed in 1s (0123456789)",
    ]);
  });

  it("tells the steps before the end of the phase that they belong to", () => {
    const before = { progress: progressView(), plan: planView() };
    const phases = {
      understand: "completed",
      guardrail: "completed",
      migrate: "completed",
      verify: "completed",
    } as const;
    const after = { progress: progressView({ phases }), plan: planView([stepView()]) };
    expect(eventsBetween(before, after, NOW)).toEqual([
      "step one completed in 1s (0123456789)",
      "phase migrate completed",
      "phase verify completed",
    ]);
  });

  it("tells nothing twice", () => {
    const snapshot = { progress: progressView({ waiting: WAITING }), plan: planView([stepView()]) };
    expect(eventsBetween(snapshot, snapshot, NOW)).toEqual([]);
  });

  it.each([
    ["starts", stepView({ id: "two", status: "in_progress", attempts: 1 }), "step two started, attempt 1"],
    [
      "fails",
      stepView({ id: "two", status: "failed", note: "exit 1" }),
      "step two failed, attempt 1: exit 1",
    ],
    [
      "is skipped",
      stepView({ id: "two", status: "skipped", note: "by me: no" }),
      "step two skipped: by me: no",
    ],
  ])("tells when a step %s", (_, step, line) => {
    const before = { progress: progressView(), plan: planView() };
    expect(eventsBetween(before, { progress: progressView(), plan: planView([step]) }, NOW)).toEqual([line]);
  });

  it("tells each further attempt", () => {
    const first = stepView({ status: "in_progress", attempts: 1 });
    const before = { progress: progressView(), plan: planView([first]) };
    const after = { progress: progressView(), plan: planView([{ ...first, attempts: 2 }]) };
    expect(eventsBetween(before, after, NOW)).toEqual(["step one started, attempt 2"]);
  });

  it("tells a running step once, whether progress or plan names it", () => {
    const steps = { completed: 0, total: 3, current: { id: "one", attempt: 1 } };
    const before = { progress: progressView(), plan: planView() };
    const running = planView([stepView({ status: "in_progress" })]);
    const expected = ["step one started, attempt 1"];
    expect(eventsBetween(before, { progress: progressView({ steps }), plan: planView() }, NOW)).toEqual(
      expected,
    );
    expect(eventsBetween(before, { progress: progressView({ steps }), plan: running }, NOW)).toEqual(
      expected,
    );
  });

  it("tells what is waited for, the exact commands, and when it goes on", () => {
    const running = { progress: progressView(), plan: planView() };
    const waiting = { progress: progressView({ waiting: WAITING }), plan: planView() };
    const lines = eventsBetween(running, waiting, NOW);
    expect(lines[0]).toContain("step 'two' failed");
    expect(lines.join("\n")).toContain("towpath retry mig_20260101_000000_app-aaaaaa");
    expect(lines.join("\n")).toContain("towpath skip mig_20260101_000000_app-aaaaaa two --reason");
    expect(eventsBetween(waiting, running, NOW)).toEqual(["goes on"]);
  });

  it("tells a rollback", () => {
    const before = {
      progress: progressView({
        phases: {
          understand: "completed",
          guardrail: "completed",
          migrate: "completed",
          verify: "in_progress",
        },
      }),
      plan: planView(),
    };
    expect(eventsBetween(before, { progress: progressView(), plan: planView() }, NOW)).toEqual([
      "phase migrate started",
      "phase verify is pending again",
    ]);
  });
});
