import { WorkflowNotFoundError } from "@temporalio/client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { messageOf } from "../../src/model/errors.js";
import * as contract from "../../src/workflows/migration.contract.js";
import { cleanUp, type MigrationHandle, type Workbench, workbench } from "../support/migrations.js";
import { checkInvariants, userSide } from "./invariants.js";
import { waitsFor } from "./support/waiting.js";
import { FIVE_STEP_FILES, FIVE_STEP_TEXT, FIVE_STEPS } from "./support/fleet.js";

const cleanups: (() => Promise<void>)[] = [];
afterAll(() => cleanUp(cleanups));

const AT_ONCE = 64;

const KINDS = ["advance", "approve", "rollback", "stop"] as const;
type Kind = (typeof KINDS)[number];

/** Waits for an approval at the gate of `migrate`, when five steps are done, and then for a person to advance it. */
const HELD = FIVE_STEPS.replace(
  "  migrate:\n",
  "  migrate:\n    manual: true\n    gate: { approval: { required: 1 } }\n",
);

/** Makes a request; answers `done`, or why it was refused. */
async function request(handle: MigrationHandle, kind: Kind, tree: string, n: number): Promise<string> {
  const by = `person-${n}`;
  try {
    if (kind === "advance") {
      await handle.executeUpdate(contract.advance, { args: [{ phase: "migrate", by }] });
    } else if (kind === "approve") {
      await handle.executeUpdate(contract.approve, { args: [{ by, comment: "", tree }] });
    } else if (kind === "rollback") {
      await handle.executeUpdate(contract.rollback, { args: [{ step: "three", by }] });
    } else {
      await handle.signal(contract.stop, { by, reason: "test" });
    }
    return "done";
  } catch (error) {
    return refusalType(error);
  }
}

function refusalType(error: unknown): string {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if ("type" in cause && typeof cause.type === "string") return cause.type;
  }
  if (error instanceof WorkflowNotFoundError) return error.name;
  return error instanceof Error ? `${error.message} (${messageOf(error.cause)})` : "unknown";
}

/** What a request may be refused with: that it does not fit any more, or that the migration is over. */
const REFUSALS = new Set([
  "done",
  "PhaseStatus",
  "PhaseGate",
  "WrongStatus",
  "ApprovalRefused",
  "AcceptedUpdateCompletedWorkflow",
  "WorkflowNotFoundError",
  "CheckpointNotFound",
]);

const PAIRS = KINDS.flatMap((one, index) => KINDS.slice(index).map((other) => [one, other] as const));

describe(`${AT_ONCE} requests at once`, () => {
  // One host for all of them: they take turns, and what a migration costs is then its own work alone.
  let bench: Workbench;
  beforeAll(async () => {
    bench = await workbench(cleanups, FIVE_STEP_FILES);
  });

  it.each(PAIRS)(
    "of %s and %s lead to one consistent outcome",
    async (one, other) => {
      const scene = { ...bench, before: await userSide(bench.repository) };
      const handle = await bench.start(HELD);
      const { waiting } = await waitsFor(handle, "approval");
      const tree = waiting?.tree ?? "";
      const outcomes = await Promise.all(
        Array.from({ length: AT_ONCE }, (_, n) => request(handle, n % 2 === 0 ? one : other, tree, n)),
      );
      expect(outcomes.filter((outcome) => !REFUSALS.has(outcome))).toEqual([]);
      // The approval is asked for once: no second one counts, and only one advance moves the phase.
      const done = (kind: Kind): number =>
        outcomes.filter((outcome, n) => outcome === "done" && (n % 2 === 0 ? one : other) === kind).length;
      expect(done("approve")).toBeLessThanOrEqual(1);
      expect(done("advance")).toBeLessThanOrEqual(1);
      if (one !== "stop" && other !== "stop") await seeThrough(handle);
      const { status } = await handle.result();
      const manifest = await checkInvariants(scene, handle);
      expect(manifest.status).toBe(status);
      const text = await bench.repository.git("show", `towpath/${handle.workflowId}:steps.txt`);
      // Stopped in the middle of a rollback's steps, the branch has only the first of them.
      expect([text, status]).toEqual([status === "completed" ? FIVE_STEP_TEXT : text, status]);
      expect(["completed", "stopped"]).toContain(status);
      expect(FIVE_STEP_TEXT.startsWith(text)).toBe(true);
    },
    900_000,
  );
});

/** Gives the migration what it still waits for. */
async function seeThrough(handle: MigrationHandle): Promise<void> {
  for (;;) {
    const { status, waiting } = await handle.query(contract.progress);
    if (status === "completed") return;
    if (waiting?.kind === "approval") await request(handle, "approve", waiting.tree ?? "", 1_000);
    else if (waiting?.kind === "advance") await request(handle, "advance", "", 1_000);
    else await handle.query(contract.progress);
  }
}
