import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client, Connection, ScheduleOverlapPolicy } from "@temporalio/client";
import { afterAll, beforeAll, expect, inject, it } from "vitest";
import { z } from "zod";
import { readEmbeddedState } from "../../src/adapters/temporal/embedded-state.js";
import { hostId } from "../../src/adapters/temporal/host.js";
import { RefreshReport } from "../../src/model/images/refresh.js";
import { type CliAnswer, type Home, makeHome } from "../support/cli.js";
import { describeWithRegistry, TestEngine } from "../support/engine.js";

const engine = new TestEngine();
const repository = engine.repository("cli");
const image = `${repository}:1`;
let home: Home;

const Schedule = z.object({
  id: z.string(),
  paused: z.boolean(),
  note: z.string(),
  next: z.array(z.string()),
  runs: z
    .array(z.object({ workflowId: z.string(), status: z.string(), report: RefreshReport.nullable() }))
    .default([]),
});
const Reports = z.object({ reports: z.array(RefreshReport) });

function towpath(...args: readonly string[]): Promise<CliAnswer> {
  return home.run(args, engine.env);
}

async function schedule(...args: readonly string[]): Promise<z.infer<typeof Schedule>> {
  return Schedule.parse(JSON.parse((await towpath("image", "schedule", ...args, "--json")).stdout));
}

/** Does something with the server that this home's commands use. */
async function onServer<T>(act: (client: Client) => Promise<T>): Promise<T> {
  const embedded = await readEmbeddedState(home.dataDir);
  const address = embedded?.address ?? inject("temporalAddress");
  const connection = await Connection.connect({ address });
  try {
    return await act(new Client({ connection, namespace: home.namespace }));
  } finally {
    await connection.close();
  }
}

async function up(): Promise<{ sweep: string }> {
  return z.looseObject({ sweep: z.string() }).parse(JSON.parse((await towpath("up", "--json")).stdout));
}

describeWithRegistry("towpath image", () => {
  beforeAll(async () => {
    home = await makeHome("own");
    await engine.published(image);
  });
  afterAll(async () => {
    await home.remove();
    await engine.remove();
  });

  it(
    "refreshes, shows a plan, applies it, and tells the truth about nothing to do",
    { timeout: 300_000 },
    async () => {
      expect(await towpath("image", "refresh", image)).toMatchObject({
        code: 0,
        stdout: expect.stringMatching(/: up to date .*\n {2}nothing to reclaim/) as unknown,
      });
      const old = await engine.image(`${repository}:old`);
      const planned = await towpath("image", "refresh", image, "--dry-run", "--json");
      const [plan] = Reports.parse(JSON.parse(planned.stdout)).reports;
      expect(plan).toMatchObject({ outcome: "planned", plan: { remove: [{ id: old }] } });
      expect(await engine.hasImage(old)).toBe(true);
      const directory = await mkdtemp(join(tmpdir(), "towpath-plan-"));
      const file = join(directory, "plan.json");
      await writeFile(file, planned.stdout);
      const applied = await towpath("image", "refresh", image, "--apply", file);
      expect(applied).toMatchObject({ code: 0, stdout: expect.stringContaining("removed") as unknown });
      expect(await engine.hasImage(old)).toBe(false);
      await rm(directory, { recursive: true });
    },
  );

  it(
    "refuses what it does not understand, and exits with what went wrong",
    { timeout: 300_000 },
    async () => {
      expect(await towpath("image", "refresh", "Not/An Image")).toMatchObject({ code: 2 });
      expect(await towpath("image", "refresh", image, "--min-age", "soon")).toMatchObject({ code: 2 });
      expect(await towpath("image", "refresh", `${repository}:none`)).toMatchObject({ code: 3 });
      const off = await home.run(["image", "refresh", image], { ...engine.env, TOWPATH_IMAGE_PRUNE: "0" });
      expect(off).toMatchObject({ code: 0, stdout: expect.stringContaining("skipped") as unknown });
      expect(await towpath("image", "schedule", "show", `${repository}-none`)).toMatchObject({ code: 3 });
    },
  );

  it(
    "refreshes on a schedule: two runs are found by their search attributes",
    { timeout: 300_000 },
    async () => {
      const created = await schedule("create", image, "--every", "1s");
      expect(created).toMatchObject({ paused: false });
      expect(await towpath("image", "schedule", "create", image)).toMatchObject({ code: 4 });
      const scheduled = async () =>
        (await schedule("show", image)).runs.filter(
          ({ workflowId, report }) => workflowId.includes(":scheduled-") && report?.outcome === "refreshed",
        ).length;
      await expect.poll(scheduled, { timeout: 90_000, interval: 500 }).toBeGreaterThanOrEqual(2);

      expect(await towpath("image", "schedule", "pause", image, "--reason", "enough")).toMatchObject({
        code: 0,
      });
      expect(await schedule("show", image)).toMatchObject({ paused: true, note: "enough" });
      const before = (await schedule("show", image)).runs.length;
      expect(await towpath("image", "schedule", "trigger", image)).toMatchObject({ code: 0 });
      await expect
        .poll(async () => (await schedule("show", image)).runs.length, { timeout: 90_000 })
        .toBeGreaterThan(Math.min(before, 9));
      expect(await towpath("image", "schedule", "resume", created.id)).toMatchObject({ code: 0 });
      expect((await towpath("image", "schedule", "list")).stdout).toContain(created.id);
      expect(await towpath("image", "schedule", "delete", image, "--yes")).toMatchObject({ code: 0 });
      expect((await towpath("image", "schedule", "list")).stdout).toBe("No schedules.\n");
    },
  );

  it(
    "pauses a schedule whose refresh keeps failing, does not make up for missed runs, and spreads them",
    { timeout: 300_000 },
    async () => {
      const missing = `${repository}-missing:1`;
      const { id } = await schedule("create", missing, "--every", "2s");
      const { policies, spec } = await onServer((client) => client.schedule.getHandle(id).describe());
      expect(policies).toMatchObject({
        overlap: ScheduleOverlapPolicy.SKIP,
        catchupWindow: 60_000,
        pauseOnFailure: true,
      });
      expect(spec.jitter).toBe(200);
      await expect
        .poll(async () => (await schedule("show", missing)).paused, { timeout: 90_000, interval: 500 })
        .toBe(true);
      const shown = await schedule("show", missing);
      expect(shown.note).toMatch(/paused due to workflow failure/i);
      expect(shown.runs[0]).toMatchObject({ status: "FAILED", report: { outcome: "pull-failed" } });
      expect((await towpath("image", "schedule", "show", missing)).stdout).toContain("There is no image");
      expect(await towpath("image", "schedule", "delete", missing, "--yes")).toMatchObject({ code: 0 });
    },
  );

  it("is swept on a schedule that `towpath up` sees to, once", { timeout: 300_000 }, async () => {
    const first = await up();
    expect(first.sweep).toBe(`towpath-orphan-sweep:${await hostId(home.dataDir)}`);
    expect((await up()).sweep).toBe(first.sweep);
    await onServer((client) => client.schedule.getHandle(first.sweep).trigger());
    const swept = () =>
      onServer(async (client) => {
        const query = 'WorkflowType = "orphanSweep" AND ExecutionStatus = "Completed"';
        const { count } = await client.workflow.count(query);
        return count;
      });
    await expect.poll(swept, { timeout: 90_000, interval: 500 }).toBeGreaterThan(0);
  });
});
