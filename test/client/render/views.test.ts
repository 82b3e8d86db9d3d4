import { describe, expect, it } from "vitest";
import { adviceFor } from "../../../src/model/advice.js";
import { renderGates, type GateReport } from "../../../src/client/render/gates.js";
import { renderList, type ListedMigration } from "../../../src/client/render/list.js";
import { renderPlan } from "../../../src/client/render/plan.js";
import { renderProgress } from "../../../src/client/render/progress.js";
import type { Waiting } from "../../../src/model/manifest.js";
import { planView, progressView, stepView } from "../migrations/views.js";

const NOW = new Date("2026-01-01T01:00:00.000Z");
const TREE = "89abcdef0123456789abcdef0123456789abcdef";

const APPROVAL: Waiting = {
  kind: "approval",
  phase: "guardrail",
  message: "1 of 2 approvals",
  since: "2026-01-01T00:50:00.000Z",
  tree: TREE,
  required: 2,
  approved_by: ["Ann"],
  until: "2026-01-02T01:00:00.000Z",
};

function waiting(kind: Waiting["kind"], step?: string): Waiting {
  return { kind, phase: "migrate", message: "", since: "", ...(step === undefined ? {} : { step }) };
}

describe("renderProgress", () => {
  it("shows status, phases and steps", () => {
    const text = renderProgress(
      progressView({ steps: { completed: 1, total: 3, current: { id: "two", attempt: 2 } } }),
      NOW,
    );
    expect(text).toContain("[x] understand  [x] guardrail  [>] migrate  [ ] verify");
    expect(text).toContain("1 of 3 steps completed, now two, attempt 2");
    expect(text).toContain("1h ago");
    expect(text).not.toContain("Waiting");
  });

  it("shows what an approval is for, who has given it, and until when", () => {
    const text = renderProgress(progressView({ status: "waiting", waiting: APPROVAL }), NOW);
    expect(text).toContain(`tree: ${TREE}`);
    expect(text).toContain("approvals: 1 of 2 (Ann)");
    expect(text).toContain("in 1d");
    expect(text).toContain("towpath approve mig_20260101_000000_app-aaaaaa");
  });

  it("shows control characters of a name instead of obeying them", () => {
    expect(renderProgress(progressView({ name: "a\u001B]0;title\u0007" }), NOW)).toContain(
      "a\\x1b]0;title\\x07",
    );
  });
});

describe("adviceFor", () => {
  it.each([
    ["advance", "towpath advance ID migrate"],
    ["approval", 'towpath approve ID --comment "…"'],
    ["step-failed", "towpath retry ID"],
    ["gate-closed", "towpath gates ID"],
    ["preparation-failed", "towpath retry ID"],
    ["blocked", "towpath retry ID"],
    ["paused", "towpath resume ID"],
  ] as const)("knows what to do about %s", (kind, command) => {
    expect(adviceFor("ID", waiting(kind)).map((advice) => advice.command)).toContain(command);
  });

  it("names the failed step in the commands that need it", () => {
    const commands = adviceFor("ID", waiting("step-failed", "two")).map((advice) => advice.command);
    expect(commands).toEqual(
      expect.arrayContaining([
        "towpath logs ID two",
        'towpath skip ID two --reason "…"',
        "towpath rollback ID two",
      ]),
    );
  });
});

describe("renderPlan", () => {
  it("marks each step", () => {
    const text = renderPlan(
      planView([
        stepView(),
        stepView({ id: "two", status: "failed", note: "exit 1", commit: null }),
        stepView({ id: "three", status: "skipped", commit: null }),
      ]),
      true,
    );
    expect(text).toMatch(/\[x\] {2}one .* 1s {2}0123456789\n/);
    expect(text).toMatch(/\[!\] {2}two .* exit 1\n/);
    expect(text).toMatch(/\[-\] {2}three/);
    expect(text).toMatch(/1 of 3 steps completed$/);
  });

  it("says where the rest of a plan is", () => {
    expect(renderPlan(planView([stepView()]), false)).toContain("the whole plan is on the migration's host");
    expect(renderPlan(planView(), false)).toContain("none has been started yet");
  });
});

describe("renderGates", () => {
  const closed: GateReport = {
    phase: "guardrail",
    open: false,
    refusals: ["2 characterization tests not passing (a, b)"],
    evidence: ["docs/ has 3 entries"],
    tree: TREE,
    checkedAt: "2026-01-01T00:59:00.000Z",
    approvals: [
      { verdict: "approved", by: "Ann", at: "2026-01-01T00:58:00.000Z", comment: "fine", tree: TREE },
    ],
  };

  it("shows every phase in its order, refusals, evidence and approvals", () => {
    expect(renderGates([closed], progressView().phases, NOW)).toBe(
      [
        "understand (completed): not checked yet",
        "guardrail (completed): closed, checked 1m ago, tree 89abcdef01",
        "  [!] 2 characterization tests not passing (a, b)",
        "  [x] docs/ has 3 entries",
        "    approved by Ann 2m ago (tree 89abcdef01): fine",
        "migrate (in_progress): not checked yet",
        "verify (pending): not checked yet",
      ].join("\n"),
    );
  });
});

describe("renderList", () => {
  const listed: ListedMigration = {
    id: "mig_20260101_000000_app-aaaaaa",
    status: "waiting",
    phase: "migrate",
    progress: 42,
    waitingFor: "step 'two' failed",
    startedAt: "2026-01-01T00:00:00.000Z",
    target: "python3",
    source: "/projects/app",
    host: "box",
    known: ["local"],
    error: null,
  };

  it("shows a row a migration, corrupt ones too", () => {
    const corrupt = {
      ...listed,
      id: "mig_x",
      status: "corrupt",
      progress: null,
      error: "manifest.json is invalid",
    };
    const lines = renderList([listed, corrupt], NOW).split("\n");
    expect(lines[1]).toMatch(
      /^mig_20260101_000000_app-aaaaaa {2}waiting {2}migrate +42 % {2}step 'two' failed +1h ago$/,
    );
    expect(lines[2]).toMatch(/^mig_x +corrupt .*manifest.json is invalid/);
  });

  it("says how to start one where there is none", () => {
    expect(renderList([], NOW)).toContain("towpath start");
  });
});
