import { stat } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import * as contract from "../../src/workflows/migration.contract.js";
import {
  cleanUp,
  type MigrationHandle,
  specWith,
  TRIVIAL_GUARDRAIL,
  waitingFor,
  workbench,
} from "../support/migrations.js";
import { checkInvariants, checkReplay, historiesOf, userSide } from "./invariants.js";
import { connectClient, type RunningHost } from "../support/temporal.js";
import { startScripted } from "../workflows/start-scripted.js";
import { isLongRun } from "./support/seeds.js";
import { eventually } from "./support/waiting.js";

const cleanups: (() => Promise<void>)[] = [];
afterEach(() => cleanUp(cleanups));

const LIMIT_BYTES = 64 * 1024;

interface Sized {
  readonly bytes: number;
  readonly event: string;
}

/** Sizes of all byte strings below a history's events. */
function payloadsIn(value: unknown, event: string): Sized[] {
  if (value instanceof Uint8Array) return [{ bytes: value.length, event }];
  if (value === null || typeof value !== "object") return [];
  return Object.entries(value).flatMap(([key, inner]) =>
    payloadsIn(inner, key.endsWith("EventAttributes") ? key : event),
  );
}

/** The spec itself is handed over twice: to the workflow, and by it to the directory. Nothing else may be large. */
async function expectSmallPayloads(handle: MigrationHandle, spec: string): Promise<number> {
  let events = 0;
  for (const history of await historiesOf(handle.client, handle.workflowId, handle.firstExecutionRunId)) {
    events = Math.max(events, history.events?.length ?? 0);
    const large = (history.events ?? [])
      .flatMap((event) => payloadsIn(event, ""))
      .filter(({ bytes }) => bytes > LIMIT_BYTES);
    expect(large.length).toBeLessThanOrEqual(2);
    for (const { bytes } of large) expect(bytes).toBeLessThan(spec.length * 1.5 + 4_096);
  }
  return events;
}

const FILES = { "src/app.txt": "old\n" };

const MANY = "mkdir many && cd many && seq 20000 | split -l 1 -a 4 - file-";

describe("a step", () => {
  it("that writes 10 MB, to both outputs, and then fails puts little into the history", async () => {
    const bench = await workbench(cleanups, FILES);
    const scene = { ...bench, before: await userSide(bench.repository) };
    const spec = specWith(`${TRIVIAL_GUARDRAIL}
  migrate:
    steps:
      - id: loud
        run: |
          head -c 5000000 /dev/zero | tr '\\0' x
          head -c 5000000 /dev/zero | tr '\\0' y >&2
          echo; echo changed > src/app.txt; exit 1
`);
    const handle = await bench.start(spec);
    await waitingFor(handle, "step-failed", 600_000);
    await handle.executeUpdate(contract.skip, { args: [{ step: "loud", reason: "too loud", by: "ada" }] });
    await handle.result();
    await expectSmallPayloads(handle, spec);
    await checkInvariants(scene, handle);
    const log = join(bench.store.paths(handle.workflowId).logs, "loud", "attempt-1.run.log");
    expect((await stat(log)).size).toBeGreaterThan(10_000_000);
  }, 900_000);

  it("that changes 20,000 files is committed, with little in the history", async () => {
    const bench = await workbench(cleanups, FILES);
    const scene = { ...bench, before: await userSide(bench.repository) };
    const spec = specWith(`${TRIVIAL_GUARDRAIL}
  migrate: { steps: [{ id: many, run: "${MANY}" }] }
`);
    const handle = await bench.start(spec);
    const { branch } = await handle.result();
    const files = await bench.repository.git("ls-tree", "-r", "--name-only", branch);
    expect(files.split("\n")).toHaveLength(20_001);
    await expectSmallPayloads(handle, spec);
    await checkInvariants(scene, handle);
  }, 900_000);

  it.runIf(isLongRun())(
    "that must not change 20,000 files is told so in few words",
    async () => {
      const bench = await workbench(cleanups, FILES);
      const scene = { ...bench, before: await userSide(bench.repository) };
      const spec = specWith(`${TRIVIAL_GUARDRAIL}
  migrate: { steps: [{ id: many, run: "${MANY}", scope: { include: ["src/**"] } }] }
`);
      const handle = await bench.start(spec);
      const { waiting } = await waitingFor(handle, "step-failed", 600_000);
      expect(waiting?.message.length).toBeLessThan(4_096);
      await handle.executeUpdate(contract.skip, { args: [{ step: "many", reason: "no", by: "ada" }] });
      await handle.result();
      await expectSmallPayloads(handle, spec);
      await checkInvariants(scene, handle);
    },
    900_000,
  );
});

const STEPS = 5_000;
/** In the ordinary run the plan is whole, but not all of it is waited for. */
const ENOUGH = isLongRun() ? STEPS : 60;

describe(`a plan of ${STEPS} steps`, () => {
  it(
    "keeps every payload small, and the history bounded",
    async () => {
      const bench = await workbench(cleanups, FILES);
      const scene = { ...bench, before: await userSide(bench.repository) };
      const steps = Array.from({ length: STEPS }, (_, n) => `      - { id: s${n}, run: ":" }`).join("\n");
      const spec = specWith(`${TRIVIAL_GUARDRAIL}\n  migrate:\n    steps:\n${steps}\n`);
      const handle = await bench.start(spec);
      for (;;) {
        const { steps: counted, status } = await handle.query(contract.progress);
        if (counted.completed >= ENOUGH || status === "completed") break;
        await delay(500);
      }
      if (ENOUGH < STEPS) await handle.signal(contract.stop, { by: "ada", reason: "enough" });
      const { status } = await handle.result();
      expect(status).toBe(ENOUGH < STEPS ? "stopped" : "completed");
      const events = await expectSmallPayloads(handle, spec);
      expect(events).toBeLessThan(Math.min(20_000, 200 + 10 * ENOUGH));
      await checkInvariants(scene, handle);
    },
    isLongRun() ? 7_200_000 : 900_000,
  );

  it(
    "goes on in a new run of its workflow before the history of one grows large, and leaves no step out",
    async () => {
      const client = await connectClient();
      cleanups.push(() => client.connection.close());
      const hosts: RunningHost[] = [];
      cleanups.push(async () => {
        for (const running of hosts) await running.shutdown();
      });
      const ids = Array.from({ length: STEPS }, (_, n) => `s${n}`);
      // What the host does is of no interest here: what is asked of it, and what that costs in history.
      const steps = ids.map((id) => ({ id, phase: "migrate" as const }));
      const { handle, host } = await startScripted(client, hosts, { steps });
      const runs = async (): Promise<number> => {
        return (await historiesOf(client.workflow, handle.workflowId, handle.firstExecutionRunId)).length;
      };
      await eventually("a second run", async () => host.asked.length > 500 && (await runs()) > 1);
      if (!isLongRun()) await handle.signal(contract.stop, { by: "ada", reason: "enough" });
      await handle.result();
      expect(await expectSmallPayloads(handle, "")).toBeLessThan(6_000);
      await checkReplay(client.workflow, handle.workflowId, handle.firstExecutionRunId);
      const attempted = host.asked.flatMap((asked) => /^attempt (s\d+)/.exec(asked)?.[1] ?? []);
      expect(attempted.length).toBeGreaterThan(500);
      expect(attempted).toEqual(ids.slice(0, attempted.length));
    },
    isLongRun() ? 7_200_000 : 900_000,
  );
});
