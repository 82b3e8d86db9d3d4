import { describe, expect, it } from "vitest";
import { renderDetails } from "../../src/model/details.js";
import type { Waiting } from "../../src/model/manifest.js";
import { progressView, stepView } from "../client/migrations/views.js";

const WAITING: Waiting = {
  kind: "step-failed",
  phase: "migrate",
  step: "one",
  message: "it failed",
  since: "",
};
const details = (changes: Parameters<typeof progressView>[0] = {}, steps = [stepView()]): string =>
  renderDetails({ progress: progressView(changes), steps, gates: [] });

describe("the details on a migration's page", () => {
  it("say what is awaited first, and the exact commands that answer", () => {
    const text = details({ status: "waiting", waiting: WAITING });
    expect(text).toContain("### Waits for you: step failed (migrate)");
    expect(text).toContain("| `towpath retry mig_20260101_000000_app-aaaaaa` | try the step again |");
    expect(text.indexOf("towpath retry")).toBeLessThan(text.indexOf("| phase |"));
  });

  it("say how it ended, and what is left to do with it", () => {
    const text = details({ status: "completed", outcome: "every gate was passed" });
    expect(text).toContain("### It is completed: every gate was passed");
    expect(text).toMatch(/`towpath diff mig_\S+`, and merge `towpath\/mig_/);
    const rejected = details({ status: "rejected", outcome: "verify was rejected by Ada: *no*" });
    expect(rejected).toContain(String.raw`### It is rejected: verify was rejected by Ada: \*no\*`);
    expect(rejected).not.toContain("merge");
    expect(details({ outcome: null })).not.toContain("It is");
  });

  it("show phases with their gates, steps with attempts and durations, and tests before and now", () => {
    const tests = {
      before: { total: 2, passed: 2, failed: 0, skipped: 0 },
      now: { total: 2, passed: 1, failed: 1, skipped: 0 },
    };
    const text = renderDetails({
      progress: progressView({ tests }),
      steps: [stepView({ attempts: 3 })],
      gates: [{ phase: "guardrail", open: false, refusals: ["no features"], tree: "" }],
    });
    expect(text).toContain("Tests: before 2 passed · now **1 failed, 1 passed**");
    expect(text).toContain("| guardrail | completed | closed: no features |");
    expect(text).toContain("| `one` | migrate | completed | 3 | 1.5 s | `0123456789ab` |  |");
  });

  it.each(["a | b", "`code` **bold** <img src=x>", "two\nlines", "[a](http://x)"])(
    "keep %j from becoming markup",
    (note) => {
      const rows = details({}, [stepView({ note })]).split("\n");
      const row = rows.find((line) => line.startsWith("| `one`")) ?? "";
      expect(row.replaceAll(/\\./g, "").match(/\|/g)).toHaveLength(8);
      expect(row.replaceAll(/\\./g, "").split("|").at(-2)).not.toMatch(/[*<>[\]`]/);
    },
  );

  it("stay bounded, whatever a migration has and says", () => {
    const steps = Array.from({ length: 10_000 }, (_, index) =>
      stepView({ id: `s${index}`, note: "x".repeat(5_000) }),
    );
    const text = details(
      {
        waiting: { ...WAITING, message: "y".repeat(100_000) },
        steps: { completed: 9_999, total: 10_000, current: null },
      },
      steps,
    );
    expect(text.length).toBeLessThan(30_000);
    expect(text).toContain("These are the newest.");
  });
});
