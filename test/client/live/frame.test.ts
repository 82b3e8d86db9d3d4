import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { renderFrame, type FrameFacts } from "../../../src/client/live/frame.js";
import { knownSteps, timeLeft } from "../../../src/client/live/time-left.js";
import { displayWidth } from "../../../src/client/render/table.js";
import { Manifest } from "../../../src/model/manifest.js";
import type { StepView } from "../../../src/model/messages.js";
import { planView, progressView, stepView } from "../migrations/views.js";

const NOW = new Date("2026-01-01T00:01:00.000Z");
const RUNNING = progressView({
  steps: {
    completed: 1,
    total: 3,
    current: { id: "two", attempt: 2, startedAt: "2026-01-01T00:00:50.000Z" },
  },
});
const STEPS = [
  stepView({ id: "survey", phase: "understand", commit: null }),
  stepView({ id: "one", attempts: 1 }),
  stepView({ id: "two", status: "in_progress", attempts: 2, commit: null, durationMs: 0 }),
];

function frame(changes: Partial<FrameFacts> = {}, columns = 80, rows = 24): string[] {
  const facts = {
    snapshot: { progress: RUNNING, plan: planView(STEPS) },
    output: [],
    known: null,
    trouble: null,
    now: NOW,
  };
  return renderFrame({ ...facts, ...changes }, { columns, rows }).map(({ text }) => text);
}

describe("a frame", () => {
  it("is a tree of phases and steps, with what the running one has written last", () => {
    expect(frame({ output: ["compiling", "still compiling"] })).toEqual(
      [
        "app → python3  in progress, 50 %, 1m",
        "[x] understand",
        "    [x] survey  1s",
        "[x] guardrail",
        "[>] migrate  (1 of 3 steps done)",
        "    [x] one  1s, 0123456789",
        "    [>] two  attempt 2, 10s",
        "        │ compiling",
        "        │ still compiling",
        "[ ] verify",
      ].map((line, index) => (index === 0 ? "app → python3  in progress, 50 %, 1m, about 1s left" : line)),
    );
  });

  it("says what is awaited and which commands answer, in whole sentences however narrow it is", () => {
    const message = `step 'two' failed: ${"a long reason ".repeat(8)}and its end`;
    const waiting = { kind: "step-failed", phase: "migrate", step: "two", message, since: "" } as const;
    const progress = progressView({ status: "waiting", waiting });
    const lines = frame({ snapshot: { progress, plan: planView(STEPS) } });
    expect(lines.join(" ")).toContain("and its end");
    expect(lines.join("\n")).toContain(`towpath retry ${progress.migrationId}`);
  });

  it("shows control characters of what a command wrote instead of obeying them", () => {
    expect(frame({ output: ["a\u001B[2Jb"] }).join("\n")).toContain("a\\x1b[2Jb");
  });

  it("tells the tests before and now", () => {
    const tests = {
      before: { total: 3, passed: 3, failed: 0, skipped: 0 },
      now: { total: 3, passed: 1, failed: 1, skipped: 1 },
    };
    const progress = progressView({ tests });
    expect(frame({ snapshot: { progress, plan: planView() } })).toContain(
      "tests: before 3 passed; now 1 failed, 1 passed, 1 skipped",
    );
  });

  it("fits the terminal, and keeps the newest steps where there is no room for all", () => {
    const size = fc.record({
      columns: fc.integer({ min: 20, max: 220 }),
      rows: fc.integer({ min: 8, max: 60 }),
    });
    const step = fc.record({ id: fc.string({ minLength: 1 }), note: fc.string({ unit: "grapheme" }) });
    fc.assert(
      fc.property(
        size,
        fc.array(step, { maxLength: 60 }),
        fc.array(fc.string(), { maxLength: 5 }),
        (at, steps, output) => {
          const views = steps.map(({ id, note }, index): StepView => stepView({ id: `${id}${index}`, note }));
          const lines = frame(
            { snapshot: { progress: RUNNING, plan: planView(views) }, output },
            at.columns,
            at.rows,
          );
          expect(lines.length).toBeLessThanOrEqual(at.rows);
          for (const line of lines) expect(displayWidth(line)).toBeLessThanOrEqual(at.columns);
        },
      ),
    );
    const many = Array.from({ length: 40 }, (_, index) => stepView({ id: `step-${index}` }));
    const lines = frame({ snapshot: { progress: RUNNING, plan: planView(many) } }, 80, 12).join("\n");
    expect(lines).toContain("step-39");
    expect(lines).not.toContain("step-0 ");
    expect(lines).toContain("[ ] verify");
  });
});

function run(createdAt: string, durations: Readonly<Record<string, number>>, name = "app"): Manifest {
  return Manifest.parse({
    id: "mig_20260101_000000_app-aaaaaa",
    created_at: createdAt,
    source_info: { path: "/projects/app" },
    target_info: { target: "python3" },
    phases: {},
    mode: "spec",
    name,
    step_order: Object.keys(durations),
    steps: Object.fromEntries(
      Object.entries(durations).map(([id, ms]) => [
        id,
        { phase: "migrate", status: ms === 0 ? "pending" : "completed", duration_ms: ms },
      ]),
    ),
  });
}

describe("the time that is left by earlier runs", () => {
  const mine = run("2026-01-03", { a: 0, b: 0, c: 0 });
  const steps = { completed: 0, total: 3, current: null };

  it("is what each step took in the newest run of the same spec on this machine", () => {
    const known = knownSteps(mine, [
      run("2026-01-02", { a: 1_000, b: 2_000, c: 0 }),
      run("2026-01-01", { a: 7_000, b: 7_000, c: 4_000 }),
      run("2026-01-02", { c: 90_000 }, "another"),
      run("2026-01-04", { c: 90_000 }),
      mine,
    ]);
    expect(timeLeft(progressView({ steps }), planView(), NOW, known)).toBe(7_000);
    const one = planView([stepView({ id: "a" })]);
    const current = { id: "b", attempt: 1, startedAt: "2026-01-01T00:00:59.000Z" };
    const running = progressView({ steps: { completed: 1, total: 3, current } });
    expect(timeLeft(running, one, NOW, known)).toBe(5_000);
    const late = { ...current, startedAt: "2026-01-01T00:00:00.000Z" };
    expect(
      timeLeft(progressView({ steps: { completed: 1, total: 3, current: late } }), one, NOW, known),
    ).toBe(4_000);
  });

  it("is the average for a step that is new, and not guessed before there is one", () => {
    const known = knownSteps(mine, [run("2026-01-02", { a: 1_000, b: 2_000 })]);
    expect(timeLeft(progressView({ steps }), planView(), NOW, known)).toBeNull();
    const done = planView([
      stepView({ id: "a", durationMs: 10_000 }),
      stepView({ id: "b", durationMs: 20_000 }),
    ]);
    expect(timeLeft(progressView({ steps: { ...steps, completed: 2 } }), done, NOW, known)).toBe(15_000);
  });

  it("counts for nothing where the plan is another", () => {
    const known = knownSteps(run("2026-01-03", { a: 0 }), [run("2026-01-02", { a: 1_000 })]);
    expect(timeLeft(progressView({ steps }), planView(), NOW, known)).toBeNull();
  });
});

describe("the time that is left", () => {
  const done = [stepView({ durationMs: 10_000 }), stepView({ id: "b", durationMs: 20_000 })];
  const plan = planView(done);

  it("is the average of the steps so far for each that is left, less what the running one has taken", () => {
    const steps = {
      completed: 2,
      total: 4,
      current: { id: "c", attempt: 1, startedAt: "2026-01-01T00:00:55.000Z" },
    };
    expect(timeLeft(progressView({ steps }), plan, NOW)).toBe(15_000 + 10_000);
  });

  it.each([
    ["no step is left", progressView({ steps: { completed: 2, total: 2, current: null } }), plan],
    [
      "one step tells nothing",
      progressView({ steps: { completed: 1, total: 4, current: null } }),
      planView([stepView()]),
    ],
    [
      "a person is waited for",
      progressView({ waiting: { kind: "paused", phase: "migrate", message: "", since: "" } }),
      plan,
    ],
  ])("is not guessed where %s", (_, progress, known) => {
    expect(timeLeft(progress, known, NOW)).toBeNull();
  });
});
