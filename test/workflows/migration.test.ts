import { EventEmitter, once } from "node:events";
import {
  type Client,
  type WorkflowHandle,
  WorkflowFailedError,
  WorkflowUpdateFailedError,
} from "@temporalio/client";
import { ApplicationFailure, CancelledFailure } from "@temporalio/common";
import { Context } from "@temporalio/activity";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import type { AttemptResult, AttemptStep, StepOrder } from "../../src/activities/contract.js";
import type { MigrationInput, ProgressView } from "../../src/model/messages.js";
import * as contract from "../../src/workflows/migration.contract.js";
import { connectClient, type RunningHost } from "../support/temporal.js";
import { closedGate, failed, openGate, type Script, success, TREE } from "./scripted-activities.js";
import { type Started, startScripted } from "./start-scripted.js";

let client: Client;
const hosts: RunningHost[] = [];

beforeAll(async () => {
  client = await connectClient();
});

afterEach(async () => {
  await Promise.all(hosts.splice(0).map((host) => host.shutdown()));
});

function start(script: Script = {}, input: Partial<MigrationInput> = {}): Promise<Started> {
  return startScripted(client, hosts, script, input);
}

async function waitingFor(handle: WorkflowHandle, kind: string): Promise<ProgressView> {
  return await expect
    .poll(() => handle.query(contract.progress), { timeout: 90_000, interval: 20 })
    .toMatchObject({ waiting: { kind } })
    .then(() => handle.query(contract.progress));
}

async function refusal(
  update: Promise<unknown>,
): Promise<{ type: string | null | undefined; message: string }> {
  try {
    await update;
  } catch (error) {
    if (error instanceof WorkflowUpdateFailedError && error.cause instanceof ApplicationFailure) {
      return { type: error.cause.type, message: error.cause.message };
    }
    throw error;
  }
  throw new Error("The update was not refused");
}

describe("a migration's way", () => {
  it("takes six events of history a step, however its progress moves", async () => {
    const steps = Array.from({ length: 40 }, (_, i) => ({ id: `s${i}`, phase: "migrate" as const }));
    let percent = 0;
    const { handle } = await start({ steps, attempt: () => ({ ...success(), percent: ++percent }) });
    await handle.result();
    const { events } = await handle.fetchHistory();
    const attempts = (events ?? []).filter(
      (event) => event.activityTaskScheduledEventAttributes?.activityType?.name === "attemptStep",
    );
    const [first, last] = [attempts[0], attempts.at(-1)].map((event) => Number(event?.eventId));
    expect(attempts).toHaveLength(40);
    // In a test as slow as a machine can be, progress is written a few times.
    expect(((last ?? 0) - (first ?? 0)) / 39).toBeLessThan(6.3);
  });

  it("passes the four phases in order, each through its gate", async () => {
    const { handle, host } = await start({
      steps: [
        { id: "survey", phase: "understand" },
        { id: "convert", phase: "migrate" },
      ],
    });
    await expect(handle.result()).resolves.toMatchObject({ status: "completed" });
    expect(host.asked).toEqual([
      "create",
      "start understand",
      "attempt survey 1",
      "gate understand",
      "advance understand",
      "start guardrail",
      "gate guardrail",
      "advance guardrail",
      "start migrate",
      "attempt convert 1",
      "gate migrate",
      "advance migrate",
      "start verify",
      "gate verify",
      "advance verify",
    ]);
  });

  it("waits at a closed gate and checks again on retry", async () => {
    const { handle, host } = await start({
      gate: (phase, check) =>
        phase === "guardrail" && check === 1 ? closedGate("no features defined") : openGate(),
    });
    const view = await waitingFor(handle, "gate-closed");
    expect(view.waiting?.message).toContain("Phase gate failed: no features defined");
    await handle.executeUpdate(contract.retry, { args: [{ by: "ada" }] });
    await handle.result();
    expect(host.asked.filter((asked) => asked === "gate guardrail")).toHaveLength(2);
  });

  it("says what keeps it from working, and goes on when asked again", async () => {
    let broken = true;
    const { handle } = await start({
      overrides: {
        layWorkspace: async () => {
          if (broken) throw ApplicationFailure.nonRetryable("no room on the disk", "StorageFailed");
          return { branch: "b", baseCommit: "c" };
        },
      },
    });
    const view = await waitingFor(handle, "blocked");
    expect(view.waiting?.message).toContain("no room on the disk");
    broken = false;
    await handle.executeUpdate(contract.retry, { args: [{ by: "ada" }] });
    await expect(handle.result()).resolves.toMatchObject({ status: "completed" });
  });
});

describe("a step that fails", () => {
  const steps = [{ id: "one", phase: "migrate" as const, maxAttempts: 2 }];

  it("is attempted as often as it may, then waits for a person, then is retried with numbers that go on", async () => {
    const { handle, host } = await start({
      steps,
      attempt: (_, attempt) => (attempt < 4 ? failed("exit code 1") : success()),
    });
    const view = await waitingFor(handle, "step-failed");
    expect(view.waiting).toMatchObject({ step: "one", phase: "migrate" });
    expect(view.status).toBe("waiting");
    await handle.executeUpdate(contract.retry, { args: [{ by: "ada" }] });
    await expect(handle.result()).resolves.toMatchObject({ status: "completed" });
    expect(host.asked.filter((asked) => asked.startsWith("attempt"))).toEqual([
      "attempt one 1",
      "attempt one 2",
      "attempt one 3",
      "attempt one 4",
    ]);
  });

  it("is skipped with a reason, and only the one that waits", async () => {
    const { handle, host } = await start({ steps, attempt: () => failed("exit code 1") });
    await waitingFor(handle, "step-failed");
    const other = handle.executeUpdate(contract.skip, { args: [{ step: "two", reason: "no", by: "ada" }] });
    expect(await refusal(other)).toMatchObject({ type: "WrongStatus" });
    await handle.executeUpdate(contract.skip, { args: [{ step: "one", reason: "done by hand", by: "ada" }] });
    await handle.result();
    expect(host.asked).toContain("skip one by ada: done by hand");
  });

  it("lets the migration go on where its definition says so", async () => {
    const { handle, host } = await start({
      steps: [{ id: "one", phase: "migrate", continueOnError: true }],
      attempt: () => failed("exit code 1"),
    });
    await handle.result();
    expect(host.asked).toContain("tolerate one");
  });

  it("is rolled back to an earlier step, whose phase goes on", async () => {
    let convertFails = true;
    const { handle, host } = await start({
      steps: [
        { id: "survey", phase: "understand" },
        { id: "convert", phase: "migrate" },
      ],
      attempt: (step) => (step === "convert" && convertFails ? failed("no") : success()),
    });
    await waitingFor(handle, "step-failed");
    convertFails = false;
    const answer = await handle.executeUpdate(contract.rollback, { args: [{ step: "survey", by: "ada" }] });
    expect(answer).toMatchObject({ step: "survey", phase: "understand" });
    await handle.result();
    expect(host.asked.filter((asked) => asked === "attempt survey 2")).toHaveLength(1);
    expect(host.asked.filter((asked) => asked === "start guardrail")).toHaveLength(2);
  });
});

describe("approval", () => {
  const rule = { required: 2, timeoutMs: null, onTimeout: "reject" as const };
  const script: Script = { gate: (phase) => openGate(phase === "guardrail" ? rule : null) };

  it("counts each person once and only for the tree that waits", async () => {
    const { handle, host } = await start(script);
    const view = await waitingFor(handle, "approval");
    expect(view.waiting).toMatchObject({ tree: TREE, required: 2 });
    const approve = (by: string, tree = TREE) =>
      handle.executeUpdate(contract.approve, { args: [{ by, tree, comment: "" }] });
    expect(await refusal(approve("ada", "c".repeat(40)))).toMatchObject({ type: "ApprovalRefused" });
    expect(await approve("ada")).toMatchObject({ approvedBy: ["ada"], required: 2 });
    await waitingFor(handle, "approval");
    expect(await refusal(approve("ada"))).toMatchObject({ type: "ApprovalRefused" });
    await approve("grace");
    await handle.result();
    expect(host.approvals.map(({ by }) => by)).toEqual(["ada", "grace"]);
  });

  it("that is refused ends the migration as rejected", async () => {
    const { handle, host } = await start(script);
    await waitingFor(handle, "approval");
    await handle.executeUpdate(contract.reject, { args: [{ by: "ada", comment: "too risky" }] });
    const error = await handle.result().catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(WorkflowFailedError);
    expect(error).toHaveProperty("cause.type", "MigrationFailed");
    expect(host.finished).toMatchObject([{ status: "rejected" }]);
  });

  it("that nobody gives in time ends the migration where the spec says so", async () => {
    const { handle, host } = await start({
      gate: () => openGate({ required: 1, timeoutMs: 50, onTimeout: "reject" }),
    });
    await expect(handle.result()).rejects.toBeInstanceOf(WorkflowFailedError);
    expect(host.finished).toMatchObject([
      { status: "rejected", reason: "nobody approved understand in time" },
    ]);
  });
});

describe("requests", () => {
  it("to advance are won by exactly one of 64", async () => {
    const { handle } = await start({}, { spec: null });
    await waitingFor(handle, "advance");
    const advances = Array.from({ length: 64 }, (_, i) =>
      handle
        .executeUpdate(contract.advance, { args: [{ phase: "understand", by: `person-${i}` }] })
        .then(() => "won")
        .catch((error: unknown) =>
          error instanceof WorkflowUpdateFailedError ? error.cause?.message : error,
        ),
    );
    const outcomes = await Promise.all(advances);
    expect(outcomes.filter((outcome) => outcome === "won")).toHaveLength(1);
    expect(new Set(outcomes.filter((outcome) => outcome !== "won"))).toEqual(
      new Set(["Cannot advance phase 'understand': status is 'completed', expected 'in_progress'"]),
    );
    await handle.signal(contract.stop, { by: "ada", reason: "" });
    await handle.result();
  });

  it("are refused when a stop comes while they are carried out, and do not keep the workflow open", async () => {
    const begun = new EventEmitter();
    const { handle } = await start({
      steps: [{ id: "one", phase: "migrate" }],
      attempt: () => failed("broken"),
      overrides: {
        rollbackTo: async () => {
          const context = Context.current();
          begun.emit("begun");
          for (;;) {
            context.heartbeat();
            await context.sleep(100);
          }
        },
      },
    });
    await waitingFor(handle, "step-failed");
    const started = once(begun, "begun");
    const rollback = refusal(handle.executeUpdate(contract.rollback, { args: [{ step: "one", by: "ada" }] }));
    await started;
    await handle.signal(contract.stop, { by: "ada", reason: "" });
    expect(await rollback).toMatchObject({ type: "WrongStatus" });
    await expect(handle.result()).resolves.toMatchObject({ status: "stopped" });
  });

  it("are refused with stable types when they do not fit", async () => {
    const { handle } = await start({}, { spec: null });
    await waitingFor(handle, "advance");
    const advance = (phase: string) =>
      refusal(handle.executeUpdate(contract.advance, { args: [{ phase, by: "ada" }] }));
    expect(await advance("polish")).toEqual({ type: "UnknownPhase", message: "Unknown phase: polish" });
    expect(await advance("migrate")).toEqual({
      type: "PhaseStatus",
      message: "Cannot advance phase 'migrate': status is 'pending', expected 'in_progress'",
    });
    const retry = handle.executeUpdate(contract.retry, { args: [{ by: "ada" }] });
    expect(await refusal(retry)).toMatchObject({ type: "WrongStatus" });
    const approve = handle.executeUpdate(contract.approve, {
      args: [{ by: "ada", tree: TREE, comment: "" }],
    });
    expect(await refusal(approve)).toMatchObject({ type: "WrongStatus" });
    await handle.signal(contract.stop, { by: "ada", reason: "" });
    await handle.result();
  });

  it("hands-on, pass the activity's refusal on to who advanced, and may be repeated", async () => {
    let documented = false;
    const { handle, host } = await start(
      {
        overrides: {
          advancePhase: async ({ phase }) => {
            if (phase === "understand" && !documented) {
              throw ApplicationFailure.nonRetryable(
                "Phase gate failed: no documentation generated in docs/",
                "PhaseGate",
              );
            }
            return { advanced: true, next: null };
          },
        },
      },
      { spec: null },
    );
    await waitingFor(handle, "advance");
    const advance = (phase: string) =>
      handle.executeUpdate(contract.advance, { args: [{ phase, by: "ada" }] });
    expect(await refusal(advance("understand"))).toEqual({
      type: "PhaseGate",
      message: "Phase gate failed: no documentation generated in docs/",
    });
    documented = true;
    await advance("understand");
    for (const phase of ["guardrail", "migrate", "verify"]) {
      await expect
        .poll(() => handle.query(contract.progress), { timeout: 90_000, interval: 20 })
        .toMatchObject({ phase, waiting: { kind: "advance" } });
      await advance(phase);
    }
    await expect(handle.result()).resolves.toMatchObject({ status: "completed" });
    expect(host.asked).not.toContain("gate understand");
  });
});

describe("steps that are short", () => {
  const steps = Array.from({ length: 20 }, (_, i) => ({ id: `s${i}`, phase: "migrate" as const }));
  const tally = { completed: 0, total: 20, percent: 0, tests: { before: null, now: null } };

  it("are asked for together, more and more of them, each by its name", async () => {
    const asked: string[][] = [];
    const attemptStep = async ({ step, following = [] }: AttemptStep): Promise<AttemptResult> => {
      asked.push([step, ...following.map((next) => next.step)]);
      const { completed: _, ...done } = { ...success(), completed: 0 };
      return { ...tally, ...done, completed: asked.flat().length, following: following.map(() => success()) };
    };
    const nextSteps = async ({ phase }: { phase: string }): Promise<StepOrder[]> =>
      phase === "migrate" && asked.length === 0 ? steps.map(({ id }) => orderOf(id)) : [];
    const { handle } = await start({ overrides: { attemptStep, nextSteps } });
    await handle.result();
    expect(asked.flat()).toEqual(steps.map(({ id }) => id));
    expect(asked.map((ids) => ids.length)).toEqual([1, 4, 15]);
    const { recent } = await handle.query(contract.plan);
    expect(recent.map(({ id, status }) => `${id} ${status}`)).toEqual(
      steps.map(({ id }) => `${id} completed`),
    );
    const { events } = await handle.fetchHistory();
    const summaries = (events ?? []).map(({ userMetadata }) =>
      Buffer.from(userMetadata?.summary?.data ?? []).toString(),
    );
    expect(summaries).toContain(JSON.stringify("s1, s2, s3, s4"));
  });

  it("show which of them it is that lasts", async () => {
    const gate = new EventEmitter();
    const released = once(gate, "release");
    const turns: number[] = [];
    const attemptStep = async ({ following = [], turn }: AttemptStep): Promise<AttemptResult> => {
      turns.push(turn);
      if (following.length > 0) await released;
      return { ...tally, ...success(), following: following.map(() => success()) };
    };
    const nextSteps = async ({ phase }: { phase: string }): Promise<StepOrder[]> =>
      phase === "migrate" && turns.length === 0 ? ["one", "two", "three"].map(orderOf) : [];
    const { handle } = await start({ overrides: { attemptStep, nextSteps } });
    await expect.poll(() => turns.length, { timeout: 90_000 }).toBe(2);
    const told = { ...tally, completed: 2, turn: turns[1] ?? 0, outcomes: [success()] };
    await handle.signal(contract.stepsUnderWay, { ...told, turn: 0, completed: 9 });
    await handle.signal(contract.stepsUnderWay, told);
    expect(await handle.query(contract.progress)).toMatchObject({
      steps: { completed: 2, current: { id: "three", attempt: 1 } },
    });
    const { recent } = await handle.query(contract.plan);
    expect(recent.map(({ id, status }) => `${id} ${status}`)).toEqual([
      "one completed",
      "two completed",
      "three in_progress",
    ]);
    gate.emit("release");
    await handle.result();
  });
});

function orderOf(id: string): StepOrder {
  const budget = { maxAttempts: 1, backoffMs: 0, budgetMs: 60_000 };
  return { id, attempts: 0, ...budget, continueOnError: false, summary: id };
}

describe("pause and stop", () => {
  it("pauses between steps and goes on on resume", async () => {
    const gate = new EventEmitter();
    const released = once(gate, "release");
    const { handle, host } = await start({
      steps: [
        { id: "one", phase: "migrate" },
        { id: "two", phase: "migrate" },
      ],
      attempt: async (step) => {
        if (step === "one") await released;
        return success();
      },
    });
    await expect.poll(() => host.asked, { timeout: 90_000 }).toContain("attempt one 1");
    await handle.signal(contract.pause);
    gate.emit("release");
    const view = await waitingFor(handle, "paused");
    expect(view.status).toBe("paused");
    expect(host.asked).not.toContain("attempt two 1");
    await handle.signal(contract.resume);
    await handle.result();
    expect(host.asked).toContain("attempt two 1");
  });

  it("stops a running step through its cancellation, then cleans up", async () => {
    let cancelled = false;
    const { handle, host } = await start({
      steps: [{ id: "one", phase: "migrate" }],
      attempt: async () => {
        const context = Context.current();
        const beat = setInterval(() => context.heartbeat(), 100);
        try {
          await context.cancelled;
        } catch (error) {
          cancelled = error instanceof CancelledFailure;
          throw error;
        } finally {
          clearInterval(beat);
        }
        return success();
      },
    });
    await expect.poll(() => host.asked, { timeout: 90_000 }).toContain("attempt one 1");
    await handle.signal(contract.stop, { by: "ada", reason: "wrong branch" });
    await expect(handle.result()).resolves.toMatchObject({ status: "stopped" });
    expect(cancelled).toBe(true);
    expect(host.finished).toMatchObject([{ status: "stopped", reason: "stopped by ada: wrong branch" }]);
  });

  it("is shown as cancelled in Temporal when it was cancelled there", async () => {
    const { handle, host } = await start({}, { spec: null });
    await waitingFor(handle, "advance");
    await handle.cancel();
    await expect(handle.result()).rejects.toHaveProperty("cause.name", "CancelledFailure");
    expect(host.finished).toMatchObject([{ status: "stopped" }]);
  });
});

describe("a long plan", () => {
  it("continues as new and keeps what it knows", async () => {
    const steps = Array.from({ length: 900 }, (_, i) => ({ id: `s${i}`, phase: "migrate" as const }));
    const { handle, host } = await start({ steps });
    await expect(handle.result()).resolves.toMatchObject({ status: "completed" });
    const attempts = host.asked.filter((asked) => asked.startsWith("attempt"));
    expect(attempts).toEqual(steps.map(({ id }) => `attempt ${id} 1`));
    expect(host.asked.filter((asked) => asked === "create")).toHaveLength(1);
    const newest = await client.workflow.getHandle(handle.workflowId).describe();
    expect(newest.runId).not.toBe(handle.firstExecutionRunId);
  }, 300_000);
});
