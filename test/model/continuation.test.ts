import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Continuation, continueWith } from "../../src/model/continuation.js";
import { checkpointTag } from "../../src/model/ids.js";
import type { Manifest, StepRecord } from "../../src/model/manifest.js";
import { stepsInOrder } from "../../src/model/spec/order.js";
import { requireSpec } from "../../src/model/spec/parse.js";
import type { Spec } from "../../src/model/spec/schema.js";
import { createManifest } from "../../src/model/transitions.js";

const id = "mig_20250101_000000_app-0abcff";
const now = new Date("2025-01-01T00:00:00.000Z");
const BASE = "0".repeat(40);

interface Step {
  readonly id: string;
  readonly run?: string;
  readonly more?: string;
}

function specOf(steps: readonly Step[], more = "", verifyGate = ""): Spec {
  const lines = steps.map(
    (step) => `      - { id: ${step.id}, run: "${step.run ?? step.id}"${step.more ?? ""} }`,
  );
  const text = `version: 1
name: app
target: next
${more}
phases:
  guardrail: { features: [{ id: f, description: d, test: "true" }] }
  migrate:
    steps:
${lines.join("\n")}
  verify:
    steps: [{ id: check, run: "true" }]
${verifyGate}`;
  return requireSpec(text, { fileName: "towpath.yaml" });
}

function commitOf(index: number): string {
  return String(index + 1).padStart(40, "a");
}

/** A migration whose first `done` steps are completed, each with a commit; the next one has failed. */
function migrationAt(spec: Spec, done: number): Manifest {
  const order = stepsInOrder(spec);
  const steps: Record<string, StepRecord> = {};
  for (const [index, step] of order.entries()) {
    const phase = step === "check" ? "verify" : "migrate";
    const blank = { phase, attempts: 0, started_at: "", completed_at: "", duration_ms: 0 } as const;
    if (index < done) steps[step] = { ...blank, status: "completed", attempts: 1, commit: commitOf(index) };
    else if (index === done) steps[step] = { ...blank, status: "failed", attempts: 3 };
    else steps[step] = { ...blank, status: "pending" };
  }
  const completed = { status: "completed", started_at: "a", completed_at: "b" } as const;
  return {
    ...createManifest({ id, now, source: "/src", target: "next", mode: "spec" }),
    name: "app",
    base_commit: BASE,
    head: done === 0 ? BASE : commitOf(done - 1),
    phases: {
      understand: completed,
      guardrail: completed,
      migrate: { status: "in_progress", started_at: "c", completed_at: "" },
      verify: { status: "pending", started_at: "", completed_at: "" },
    },
    steps,
    step_order: order,
    checkpoints: order.slice(0, done + 1).map((step) => checkpointTag(id, step)),
    spec_digest: "old",
  };
}

function edit(before: Spec, after: Spec, done: number, params: Record<string, string> = {}): Continuation {
  const manifest = migrationAt(before, done);
  return continueWith(manifest, { before, after, digest: "new", params, allowHost: true }, null, now);
}

function specTesting(test: string): Spec {
  const made = specOf([{ id: "a" }]);
  return {
    ...made,
    phases: { ...made.phases, guardrail: { features: [{ id: "f", description: "d", test }] } },
  };
}

const [A, B, C] = [{ id: "a" }, { id: "b" }, { id: "c" }];

describe("an edited spec", () => {
  it.each([
    ["that changes nothing", [A, B, C], 2, "c"],
    ["that changes the step that failed", [A, B, { id: "c", run: "other" }], 2, "c"],
    ["that changes a finished step", [A, { id: "b", run: "other" }, C], 1, "b"],
    ["that changes the first step", [{ id: "a", run: "other" }, B, C], 0, "a"],
    ["that puts a step between", [A, { id: "new" }, B, C], 1, "new"],
    ["that takes a finished step out", [B, C], 0, "b"],
    ["that turns two finished steps round", [B, A, C], 0, "b"],
    ["that adds a verify", [A, { id: "b", more: ', verify: ["true"]' }, C], 1, "b"],
    ["that changes timeouts", [{ id: "a", more: ", timeout: 1m" }, B, C], 2, "c"],
  ])("%s goes on at the first step that is not the same", (_, steps, kept, step) => {
    const after = specOf(steps);
    const continued = edit(specOf([A, B, C]), after, 2);
    expect(continued).toMatchObject({ phase: "migrate", step, kept });
    expect(continued.head).toBe(kept === 0 ? BASE : commitOf(kept - 1));
    expect(continued.manifest).toMatchObject({
      step_order: stepsInOrder(after),
      head: continued.head,
      spec_digest: "new",
    });
  });

  it("keeps a prefix of what was finished, never anything behind a change, whatever the edit is", () => {
    const step = fc.record({ id: fc.constantFrom("a", "b", "c", "d"), run: fc.constantFrom("x", "y") });
    const steps = fc.uniqueArray(step, { selector: (each) => each.id, minLength: 1 });
    fc.assert(
      fc.property(steps, steps, fc.nat(4), (old, edited, finished) => {
        const done = Math.min(finished, old.length);
        const { manifest, kept, forgotten } = edit(specOf(old), specOf(edited), done);
        let same = 0;
        while (same < done && old[same]?.id === edited[same]?.id && old[same]?.run === edited[same]?.run)
          same += 1;
        expect(kept).toBe(same);
        const records = Object.values(manifest.steps ?? {});
        expect(records.filter(({ status }) => status === "completed")).toHaveLength(same);
        expect(forgotten).toHaveLength(done + 1 - same);
        expect(manifest.checkpoints).toHaveLength(same);
      }),
    );
  });

  it("goes on counting the attempts of a step that was taken out and comes back", () => {
    const without = edit(specOf([A, B, C]), specOf([A, B]), 2);
    expect(without.manifest.past_attempts).toEqual({ c: 3 });
    const change = {
      before: specOf([A, B]),
      after: specOf([A, B, C]),
      digest: "d",
      params: {},
      allowHost: true,
    };
    const back = continueWith(without.manifest, change, null, now);
    expect(back.manifest.steps?.["c"]).toMatchObject({ status: "pending", attempts: 3 });
    expect(back.manifest.past_attempts).toEqual({});
  });

  it("enters a phase again whose gate has changed", () => {
    const continued = edit(specTesting("true"), specTesting("test -e x"), 1);
    expect(continued).toMatchObject({ phase: "guardrail", step: null, kept: 0, head: BASE });
    expect(continued.manifest.phases).toMatchObject({
      guardrail: { status: "in_progress" },
      migrate: { status: "pending" },
    });
  });

  it.each([
    ["its target", (spec: Spec): Spec => ({ ...spec, target: "elsewhere" }), "its target is elsewhere"],
    ["its base", (spec: Spec): Spec => ({ ...spec, workspace: { base: "v1" } }), "it changes workspace.base"],
  ])("is refused where it changes %s", (_, change, message) => {
    const spec = specOf([A]);
    expect(() => edit(spec, change(spec), 0)).toThrow(message);
  });
});
