import { EventEmitter, once } from "node:events";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { historyToJSON } from "@temporalio/common/lib/proto-utils.js";
import type { Client, WorkflowHandle } from "@temporalio/client";
import { Worker } from "@temporalio/worker";
import { afterEach, describe, expect, inject, it } from "vitest";
import { z } from "zod";
import { requirementsPaths } from "../../src/adapters/requirements/paths.js";
import type { MigrationActivities } from "../../src/activities/contract.js";
import { decideRequirements, needsAnalysis } from "../../src/model/requirements/decision.js";
import * as contract from "../../src/workflows/migration.contract.js";
import { projectFor, requirementsBench } from "../activities/requirements-bench.js";
import { persist, sha } from "../adapters/requirements/fixture.js";
import { factsOf, type Row, TABLE } from "../model/requirements/table.js";
import { cleanUp, specWith, TRIVIAL_GUARDRAIL, waitingFor, workbench } from "../support/migrations.js";
import { connectClient, type RunningHost, startHost } from "../support/temporal.js";
import { ScriptedActivities } from "../workflows/scripted-activities.js";

const cleanups: (() => Promise<void>)[] = [];
afterEach(() => cleanUp(cleanups));

const Scheduled = z.looseObject({
  events: z.array(
    z.looseObject({
      activityTaskScheduledEventAttributes: z
        .looseObject({ activityType: z.looseObject({ name: z.string() }) })
        .optional(),
    }),
  ),
});

/** Every activity that a history schedules, by name. */
async function scheduled(handle: WorkflowHandle): Promise<{ names: string[]; json: unknown }> {
  const json: unknown = JSON.parse(historyToJSON(await handle.fetchHistory()));
  const names = Scheduled.parse(json).events.flatMap(
    (event) => event.activityTaskScheduledEventAttributes?.activityType.name ?? [],
  );
  return { names, json };
}

async function replay(history: unknown): Promise<void> {
  const workflowBundle = { code: await readFile(inject("workflowBundle"), "utf8") };
  await Worker.runReplayHistory({ workflowBundle }, history);
}

interface TableHost {
  readonly client: Client;
  readonly host: RunningHost;
  /** Resolves when a migration has its requirements, and stands still. */
  readonly settled: (migrationId: string) => Promise<void>;
}

/** Real decisions in migrations that are otherwise scripted, and end behind it: a row of the table costs no repository. */
async function tableHost(): Promise<TableHost> {
  const { activities } = await requirementsBench();
  const events = new EventEmitter();
  const overrides: Partial<MigrationActivities> = {
    createMigration: (input) => activities.createMigration(input),
    decideRequirements: (input) => activities.decideRequirements(input),
    generateRequirements: async () => ({ ok: true, message: "", requirements: null }),
    runBaseline: async ({ migrationId }) => {
      events.emit(migrationId);
      return { ok: false, message: "far enough" };
    },
  };
  const host = await startHost(new ScriptedActivities({ overrides }).activities);
  cleanups.push(() => host.shutdown());
  const client = await connectClient();
  cleanups.push(() => client.connection.close());
  return { client, host, settled: async (id) => void (await once(events, id)) };
}

const SPEC = `version: 1
name: test
target: next
phases: { migrate: { steps: [{ id: one, run: "true" }] } }
`;

let started = 0;

async function runRow({ client, host, settled }: TableHost, row: Row): Promise<unknown> {
  const { paths, prd } = await projectFor(row);
  started += 1;
  const migrationId = `mig_20260101_000000_row-${process.pid.toString(16).padStart(3, "0").slice(-3)}${started.toString(16).padStart(3, "0")}`;
  const reached = settled(migrationId);
  const handle = await client.workflow.start(contract.MIGRATION_WORKFLOW, {
    workflowId: migrationId,
    taskQueue: host.workflowQueue,
    args: [
      {
        migrationId,
        name: "test",
        target: "next",
        hostId: host.hostId,
        source: paths.project,
        spec: { fileName: "towpath.yaml", text: SPEC },
        params: {},
        manual: false,
        allowHost: true,
        author: { name: "Ada", email: "ada@example.org" },
        startedBy: "ada",
        prd,
      },
    ],
  });
  await reached;
  const expected = decideRequirements(factsOf(row));
  const { requirements } = await handle.query(contract.progress);
  expect(requirements).toMatchObject({ ...expected, ...row.expected });
  await handle.terminate();
  const { names, json } = await scheduled(handle);
  expect(names.filter((name) => name === "generateRequirements")).toHaveLength(
    needsAnalysis(expected.action) ? 1 : 0,
  );
  expect(names.filter((name) => name === "decideRequirements")).toHaveLength(1);
  // The tree changes, and goes altogether: what was decided is in the history.
  await rm(paths.directory, { recursive: true, force: true });
  await writeFile(join(paths.project, "src", "a.py"), "a = 3\n");
  return json;
}

describe("a started migration", () => {
  it("decides as the rules do, schedules an analysis for `generate` and `update` alone, and replays the same", async () => {
    const host = await tableHost();
    const rows = TABLE.values();
    const histories = new Map<string, unknown>();
    const work = async (): Promise<void> => {
      for (const row of rows) histories.set(row.expected.rule, await runRow(host, row));
    };
    await Promise.all(Array.from({ length: 8 }, work));
    expect(started).toBe(TABLE.length);
    expect([...histories.keys()].toSorted()).toEqual(
      [...new Set(TABLE.map(({ expected }) => expected.rule))].toSorted(),
    );
    for (const history of histories.values()) await expect(replay(history)).resolves.toBeUndefined();
  }, 300_000);

  it("generates, finds nothing to do in a rerun, and updates when the code has changed", async () => {
    const bench = await workbench(cleanups, { "a.py": "import json\n" });
    const { path } = bench.repository;
    const paths = requirementsPaths(path);
    const before = await bench.repository.snapshot();
    const names: string[][] = [];
    const seen = async (): Promise<{ action: string | undefined; memo: unknown }> => {
      const handle = await bench.start(null);
      await waitingFor(handle, "advance");
      const { requirements } = await handle.query(contract.progress);
      const memo = (await handle.describe()).memo?.["prd"];
      names.push((await scheduled(handle)).names);
      await handle.signal(contract.stop, { by: "ada", reason: "" });
      await handle.result();
      return { action: requirements?.action, memo };
    };
    const first = await seen();
    expect(first.action).toBe("generate");
    const text = await readFile(paths.document);
    expect(first.memo).toEqual({ action: "generate", source: "generated", sha: sha(text).slice(0, 12) });
    expect(await seen()).toMatchObject({ action: "reuse" });
    expect((await readFile(paths.document)).equals(text)).toBe(true);
    await bench.repository.write({ "b.py": "import os\n" });
    expect(await seen()).toMatchObject({ action: "update" });
    expect(await readFile(paths.document, "utf8")).not.toBe(text.toString());
    const generations = names.map((each) => each.filter((name) => name === "generateRequirements").length);
    expect(generations).toEqual([1, 0, 1]);
    await rm(join(path, "b.py"));
    expect(await bench.repository.snapshot()).toBe(before);
  }, 300_000);

  it("gives its steps the document at $TOWPATH_PRD, which stays theirs whatever the project's becomes", async () => {
    const bench = await workbench(cleanups, { "a.txt": "a\n" });
    const paths = requirementsPaths(bench.repository.path);
    const bytes = "given\r\nno newline";
    const given = await persist(paths, bytes);
    const steps = `${TRIVIAL_GUARDRAIL}
  migrate:
    steps:
      - { id: change, run: 'echo other > "${paths.document}"; echo b >> a.txt' }
      - { id: read, needs: [change], run: 'cmp "$TOWPATH_PRD" "$TOWPATH_DIR/requirements.md"; cp "$TOWPATH_PRD" seen.md' }
  verify: { steps: [] }`;
    const handle = await bench.start(specWith(steps), { prd: { sha: given, fresh: false } });
    const { branch } = await handle.result();
    const seen = await bench.repository.git("show", `${branch}:seen.md`);
    expect(seen).toBe(bytes);
    expect(await bench.repository.git("ls-tree", "-r", "--name-only", branch)).not.toContain(".towpath");
    const described = await handle.describe();
    expect(described.memo?.["prd"]).toEqual({
      action: "user_owned",
      source: "user",
      sha: given.slice(0, 12),
    });
  }, 300_000);

  it("waits when its generator fails, and goes on with the document when it is retried", async () => {
    const bench = await workbench(cleanups, { "a.txt": "a\n" });
    const flag = join(bench.dataDir, "go");
    const steps = `${TRIVIAL_GUARDRAIL}
  migrate:
    steps: [{ id: read, run: 'cp "$TOWPATH_PRD" seen.md' }]
  verify: { steps: [] }`;
    const spec = specWith(steps, `requirements: { generate: 'test -e "${flag}" && echo generated' }`);
    const handle = await bench.start(spec);
    const { waiting, requirements } = await waitingFor(handle, "preparation-failed");
    expect(waiting?.message).toContain("requirements failed");
    expect(requirements).toMatchObject({ action: "generate", sha: null });
    await writeFile(flag, "");
    await handle.executeUpdate(contract.retry, { args: [{ by: "ada" }] });
    const { branch } = await handle.result();
    expect(await bench.repository.git("show", `${branch}:seen.md`)).toBe("generated");
  }, 300_000);
});
