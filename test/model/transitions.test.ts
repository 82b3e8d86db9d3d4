import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { TowpathError } from "../../src/model/errors.js";
import { Manifest, MigrationStatus } from "../../src/model/manifest.js";
import { type Phase, PHASES, type PhaseStatus } from "../../src/model/phases.js";
import { progressPercent } from "../../src/model/progress.js";
import {
  assertNextPhase,
  completePhase,
  createManifest,
  failPhase,
  forgetCheckpoints,
  recordCheckpoint,
  startPhase,
} from "../../src/model/transitions.js";

const id = "mig_20250101_000000_app-0abcff";
const now = new Date("2025-01-01T00:00:00.000Z");
const later = new Date("2025-01-02T00:00:00.000Z");

const fresh = (): Manifest =>
  createManifest({ id, now, source: "/src/app", target: "jest", mode: "hands-on" });

function withStatuses(...statuses: PhaseStatus[]): Manifest {
  const times = { started_at: "old", completed_at: "old" };
  return {
    ...fresh(),
    phases: Object.fromEntries(
      PHASES.map((phase, i) => [phase, { status: statuses[i] ?? "pending", ...times }]),
    ),
  };
}

function onlyUnderstand(manifest: Manifest): Manifest {
  const entries = Object.entries(manifest.phases).filter(([phase]) => phase === "understand");
  return { ...manifest, phases: Object.fromEntries(entries) };
}

describe("createManifest", () => {
  it("starts with understand in progress and is a valid manifest", () => {
    const manifest = fresh();
    expect(Manifest.parse(manifest)).toEqual(manifest);
    expect(manifest).toMatchObject({
      created_at: "2025-01-01T00:00:00.000Z",
      source_info: { path: "/src/app", type: "unknown" },
      source_path: "/src/app",
      target_info: { target: "jest", options: {} },
      status: "in_progress",
      checkpoints: [],
      phases: {
        understand: { status: "in_progress", started_at: "2025-01-01T00:00:00.000Z", completed_at: "" },
        guardrail: { status: "pending", started_at: "", completed_at: "" },
      },
    });
  });
});

describe("startPhase", () => {
  it("does nothing to a phase in progress", () => {
    const manifest = fresh();
    expect(startPhase(manifest, "understand", later)).toBe(manifest);
  });

  it.each(["pending", "completed", "failed"] as const)(
    "starts a %s phase behind a completed one",
    (status) => {
      const started = startPhase(withStatuses("completed", status), "guardrail", later);
      expect(started.phases.guardrail).toEqual({
        status: "in_progress",
        started_at: later.toISOString(),
        completed_at: "",
      });
    },
  );

  it.each(["pending", "in_progress", "failed"] as const)("refuses a phase behind a %s one", (status) => {
    expect(() => startPhase(withStatuses(status), "guardrail", later)).toThrow(
      expect.objectContaining({
        type: "PhaseStatus",
        message: `Cannot start phase 'guardrail': phase 'understand' is '${status}', expected 'completed'`,
      }),
    );
  });

  it("makes what rested on a restarted phase pending again", () => {
    const restarted = startPhase(withStatuses("completed", "completed", "in_progress"), "understand", later);
    expect(PHASES.map((phase) => restarted.phases[phase]?.status)).toEqual([
      "in_progress",
      "pending",
      "pending",
      "pending",
    ]);
  });

  it("refuses a phase that the manifest does not have", () => {
    const manifest = onlyUnderstand(withStatuses("completed"));
    expect(() => startPhase(manifest, "guardrail", later)).toThrow(/missing from the manifest/);
  });

  it.each(["completed", "failed", "rejected", "stopped"])(
    "refuses to start anything once the migration is %s",
    (status) => {
      expect(() => startPhase({ ...withStatuses("completed"), status }, "guardrail", later)).toThrow(
        expect.objectContaining({ type: "WrongStatus" }),
      );
    },
  );
});

describe("completePhase", () => {
  it("completes the phase, starts the next and clears its stale end", () => {
    const advanced = completePhase(withStatuses("completed", "in_progress", "failed"), "guardrail", later);
    expect(advanced.phases.guardrail).toMatchObject({
      status: "completed",
      completed_at: later.toISOString(),
    });
    expect(advanced.phases.migrate).toEqual({
      status: "in_progress",
      started_at: later.toISOString(),
      completed_at: "",
    });
    expect(advanced.status).toBe("in_progress");
  });

  it("completes the migration with verify, and with nothing before", () => {
    const done = completePhase(
      withStatuses("completed", "completed", "completed", "in_progress"),
      "verify",
      later,
    );
    expect(done.status).toBe("completed");
    expect(progressPercent(done)).toBe(100);
  });

  it.each(["pending", "completed", "failed"] as const)(
    "refuses a phase that is %s, with the known text",
    (status) => {
      expect(() => completePhase(withStatuses(status), "understand", later)).toThrow(
        expect.objectContaining({
          type: "PhaseStatus",
          message: `Cannot advance phase 'understand': status is '${status}', expected 'in_progress'`,
        }),
      );
    },
  );

  it("takes a missing phase for an error, also the next one", () => {
    expect(() => completePhase({ ...fresh(), phases: {} }, "understand", later)).toThrow(
      "Cannot advance phase 'understand': status is 'missing', expected 'in_progress'",
    );
    const alone = onlyUnderstand(fresh());
    expect(() => completePhase(alone, "understand", later)).toThrow(/next phase 'guardrail' is missing/);
  });

  it("changes nothing in what it is given", () => {
    const manifest = fresh();
    const before = structuredClone(manifest);
    completePhase(manifest, "understand", later);
    expect(manifest).toEqual(before);
  });
});

describe("the state machine", () => {
  it("never has two phases in progress, nor one in progress or done behind one that is not completed", () => {
    const call = fc.record({
      action: fc.constantFrom(startPhase, completePhase, failPhase),
      phase: fc.constantFrom(...PHASES),
    });
    fc.assert(
      fc.property(fc.array(call, { maxLength: 40 }), (calls) => {
        let manifest = fresh();
        for (const { action, phase } of calls) {
          manifest = ifAllowed(() => action(manifest, phase, later)) ?? manifest;
          const statuses = PHASES.map((name) => manifest.phases[name]?.status);
          const open = statuses.findIndex((status) => status !== "completed");
          expect(statuses.slice(open + 1).every((status) => open < 0 || status === "pending")).toBe(true);
          expect(MigrationStatus.safeParse(manifest.status).success).toBe(true);
        }
      }),
      { numRuns: 300 },
    );
  });
});

function ifAllowed<T>(action: () => T): T | null {
  try {
    return action();
  } catch (error) {
    if (error instanceof TowpathError) return null;
    throw error;
  }
}

function isNext([from, to]: [Phase, Phase]): boolean {
  return PHASES.indexOf(to) === PHASES.indexOf(from) + 1;
}

describe("assertNextPhase", () => {
  const ways = PHASES.flatMap((from) => PHASES.map((to): [Phase, Phase] => [from, to]));

  it.each(ways.filter(isNext))("lets %s be followed by %s", (from, to) => {
    expect(() => assertNextPhase(from, to)).not.toThrow();
  });

  it.each(ways.filter((way) => !isNext(way)))("refuses the way from %s to %s", (from, to) => {
    expect(() => assertNextPhase(from, to)).toThrow(`Cannot jump from ${from} to ${to}`);
  });
});

describe("checkpoints", () => {
  it("lists a tag once and forgets it", () => {
    const once = recordCheckpoint(recordCheckpoint(fresh(), "a"), "b");
    expect(recordCheckpoint(once, "a").checkpoints).toEqual(["a", "b"]);
    expect(forgetCheckpoints(once, ["a", "z"]).checkpoints).toEqual(["b"]);
  });
});
