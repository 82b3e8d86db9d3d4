import { writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { Client, WorkflowHandle } from "@temporalio/client";
import { historyToJSON } from "@temporalio/common/lib/proto-utils.js";
import { afterEach, beforeAll, expect, it } from "vitest";
import type { StepOrder } from "../../src/activities/contract.js";
import type { MigrationInput } from "../../src/model/messages.js";
import * as contract from "../../src/workflows/migration.contract.js";
import { connectClient, type RunningHost } from "../support/temporal.js";
import {
  closedGate,
  failed,
  openGate,
  type Script,
  success,
  TREE,
} from "../workflows/scripted-activities.js";
import { startScripted } from "../workflows/start-scripted.js";

interface Scenario {
  readonly name: string;
  readonly script: Script;
  readonly input?: Partial<MigrationInput>;
  readonly drive?: (handle: WorkflowHandle) => Promise<void>;
}

const STEPS = [
  { id: "survey", phase: "understand" as const },
  { id: "convert", phase: "migrate" as const, maxAttempts: 2 },
  { id: "polish", phase: "migrate" as const },
];

/** A plan whose steps are all short enough to be taken together with those before. */
function shortSteps(total: number): Script {
  const steps = Array.from({ length: total }, (_, i) => ({ id: `s${i}`, phase: "migrate" as const }));
  let completed = 0;
  return {
    steps,
    overrides: {
      nextSteps: async ({ phase }) =>
        steps
          .filter((step) => step.phase === phase)
          .slice(completed)
          .map(orderOf),
      attemptStep: async ({ following = [] }) => {
        const outcomes = following.map(() => success());
        completed += 1 + outcomes.length;
        const tally = { completed, total, percent: 0, tests: { before: null, now: null } };
        return { ...success(), ...tally, following: outcomes };
      },
    },
  };
}

function orderOf({ id }: { id: string }): StepOrder {
  return { id, summary: id, attempts: 0, maxAttempts: 1, backoffMs: 0, budgetMs: 60_000, continueOnError: false };
}

const SCENARIOS: readonly Scenario[] = [
  { name: "straight-through", script: { steps: STEPS } },
  {
    name: "failed-retried-skipped",
    script: { steps: STEPS, attempt: (step) => (step === "convert" ? failed("exit code 1") : success()) },
    drive: async (handle) => {
      await waiting(handle, "step-failed");
      await handle.executeUpdate(contract.retry, { args: [{ by: "ada" }] });
      await waiting(handle, "step-failed");
      await handle.executeUpdate(contract.skip, { args: [{ step: "convert", reason: "by hand", by: "ada" }] });
    },
  },
  {
    name: "rolled-back",
    script: {
      steps: STEPS,
      attempt: (step, attempt) => (step === "polish" && attempt === 1 ? failed("no") : success()),
    },
    drive: async (handle) => {
      await waiting(handle, "step-failed");
      await handle.executeUpdate(contract.rollback, { args: [{ step: "survey", by: "ada" }] });
    },
  },
  {
    name: "spec-edited",
    script: {
      steps: STEPS,
      attempt: (step, attempt) => (step === "convert" && attempt <= 2 ? failed("no") : success()),
    },
    drive: async (handle) => {
      await waiting(handle, "step-failed");
      const spec = { fileName: "towpath.yaml", text: "version: 1", digest: "d".repeat(64), params: {}, allowHost: true };
      await handle.executeUpdate(contract.retry, { args: [{ by: "ada", spec }] });
    },
  },
  { name: "many-short-steps", script: shortSteps(20) },
  { name: "adopted", script: { steps: STEPS }, input: { adopt: true } },
  {
    name: "approved-in-time",
    script: {
      gate: (phase, check) => {
        if (phase === "guardrail" && check === 1) return closedGate("no features defined");
        return openGate(
          phase === "verify" ? { required: 2, timeoutMs: 60_000, onTimeout: "reject" as const } : null,
        );
      },
    },
    drive: async (handle) => {
      await waiting(handle, "gate-closed");
      await handle.executeUpdate(contract.retry, { args: [{ by: "ada" }] });
      for (const by of ["ada", "grace"]) {
        await waiting(handle, "approval");
        await handle.executeUpdate(contract.approve, { args: [{ by, tree: TREE, comment: "" }] });
      }
    },
  },
  {
    name: "hands-on-stopped",
    script: {},
    input: { spec: null },
    drive: async (handle) => {
      await waiting(handle, "advance");
      await handle.executeUpdate(contract.advance, { args: [{ phase: "understand", by: "ada" }] });
      await handle.signal(contract.pause);
      await waiting(handle, "advance");
      await handle.signal(contract.stop, { by: "ada", reason: "enough" });
    },
  },
];

const hosts: RunningHost[] = [];
let client: Client;
beforeAll(async () => {
  client = await connectClient();
});
afterEach(async () => {
  await Promise.all(hosts.splice(0).map((host) => host.shutdown()));
});

it.each(SCENARIOS)("records $name", async ({ name, script, input, drive }) => {
  const { handle } = await startScripted(client, hosts, script, input);
  await drive?.(handle);
  await handle.result();
  const text = historyToJSON(await handle.fetchHistory());
  // A path would be this machine's own.
  expect(text).not.toContain(process.cwd());
  await writeFile(fileURLToPath(new URL(`${name}.json`, import.meta.url)), `${text}\n`);
});

async function waiting(handle: WorkflowHandle, kind: string): Promise<void> {
  await expect
    .poll(() => handle.query(contract.progress), { timeout: 90_000, interval: 20 })
    .toMatchObject({ waiting: { kind } });
}
