import { describe, expect, it } from "vitest";
import { follow, type Followed } from "../../../src/client/migrations/follow.js";
import type { ExecutionStatus } from "../../../src/client/migrations/remote.js";
import { TowpathError } from "../../../src/model/errors.js";
import type { ProgressView } from "../../../src/model/messages.js";
import { planView, progressView } from "./views.js";

const DONE = progressView({
  status: "completed",
  phase: "verify",
  phases: { understand: "completed", guardrail: "completed", migrate: "completed", verify: "completed" },
});

/** Answers one look after the other; the last one stays. An error in place of a look is thrown. */
function scripted(looks: readonly ([ExecutionStatus, ProgressView] | TowpathError)[]): Followed {
  let position = -1;
  let current: ProgressView = progressView();
  return {
    execution: async () => {
      position = Math.min(position + 1, looks.length - 1);
      const next = looks[position];
      if (next === undefined || next instanceof TowpathError) throw next ?? new Error("no look");
      current = next[1];
      return next[0];
    },
    progress: async () => current,
    plan: async () => planView(),
  };
}

async function linesOf(migration: Followed, options: { patienceMs?: number; signal?: AbortSignal } = {}) {
  const lines: string[] = [];
  const troubles: string[] = [];
  const end = await follow(migration, {
    intervalMs: 1,
    ...options,
    onEvent: async ({ line }) => {
      lines.push(line);
    },
    onTrouble: (message) => {
      troubles.push(message);
    },
  });
  return { lines, troubles, end };
}

const DOWN = new TowpathError("TemporalUnreachable", "Temporal cannot be reached");

describe("follow", () => {
  it("tells each change once and ends with the migration", async () => {
    const { lines, end } = await linesOf(
      scripted([
        ["RUNNING", progressView()],
        ["RUNNING", progressView()],
        ["COMPLETED", DONE],
      ]),
    );
    expect(lines).toEqual([
      "phase understand completed",
      "phase guardrail completed",
      "phase migrate started",
      "phase migrate completed",
      "phase verify completed",
    ]);
    expect(end).toEqual({ progress: DONE, execution: "COMPLETED" });
  });

  it("ends when Temporal ended the workflow, whatever it answers about itself", async () => {
    const { end } = await linesOf(scripted([["TERMINATED", progressView()]]));
    expect(end.execution).toBe("TERMINATED");
  });

  it("goes on behind an outage, and says once that there was one", async () => {
    const { troubles, end } = await linesOf(
      scripted([["RUNNING", progressView()], DOWN, DOWN, ["COMPLETED", DONE]]),
    );
    expect(troubles).toEqual(["Temporal cannot be reached"]);
    expect(end.execution).toBe("COMPLETED");
  });

  it("gives up when nobody answers for longer than its patience", async () => {
    await expect(linesOf(scripted([["RUNNING", progressView()], DOWN]), { patienceMs: 20 })).rejects.toBe(
      DOWN,
    );
  });

  it("is not patient with a migration that is not there", async () => {
    const missing = new TowpathError("MigrationNotFound", "Migration not found: x");
    await expect(linesOf(scripted([missing]))).rejects.toBe(missing);
  });

  it("leaves the migration alone when it is told to end", async () => {
    const { end } = await linesOf(scripted([["RUNNING", progressView()]]), {
      signal: AbortSignal.timeout(20),
    });
    expect(end.execution).toBe("RUNNING");
  });
});
