import { randomBytes } from "node:crypto";
import type { Client } from "@temporalio/client";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { createActivities } from "../../src/activities/index.js";
import type { Host } from "../../src/activities/host.js";
import { sweep } from "../../src/activities/sweep.js";
import { MigrationStore } from "../../src/adapters/store/migration-store.js";
import { type ContainerIdentity, labelsOf } from "../../src/model/containers/labels.js";
import { TowpathError } from "../../src/model/errors.js";
import { hostQueue } from "../../src/model/queues.js";
import { ORPHAN_SWEEP_WORKFLOW } from "../../src/workflows/image-refresh.contract.js";
import type { orphanSweep } from "../../src/workflows/orphan-sweep.js";
import * as contract from "../../src/workflows/migration.contract.js";
import { describeWithEngine, TestEngine } from "../support/engine.js";
import { cleanUp, waitingFor, workbench } from "../support/migrations.js";
import { temporaryDirectory } from "../support/repository.js";
import { connectClient, startHost } from "../support/temporal.js";

const engine = new TestEngine();
const image = `${engine.name}/tools:1`;
const cleanups: (() => Promise<void>)[] = [];

function identity(hostId: string, workflowId: string): ContainerIdentity {
  return {
    kind: "step",
    namespace: "default",
    workflowId,
    runId: "run",
    stepId: "one",
    attempt: 1,
    command: "run",
    projectId: "0".repeat(64),
    projectDir: "/project",
    hostId,
    createdAt: new Date().toISOString(),
    secretNames: "",
  };
}

async function container(hostId: string, workflowId: string) {
  const made = await engine.container({ Image: image, Labels: labelsOf(identity(hostId, workflowId)) });
  await made.start();
  return made;
}

async function exists(id: string): Promise<boolean> {
  return (await engine.docker.listContainers({ all: true })).some(({ Id }) => Id === id);
}

async function sweptBy(client: Client, hostId: string, graceMs: number) {
  return client.workflow.execute<typeof orphanSweep>(ORPHAN_SWEEP_WORKFLOW, {
    workflowId: `orphan-sweep:${hostId}:${randomBytes(3).toString("hex")}`,
    taskQueue: hostQueue(hostId),
    args: [{ hostId, graceMs }],
  });
}

async function hostWith(environment: Record<string, string>): Promise<Host> {
  const dataDir = await temporaryDirectory(cleanups);
  const env = { ...process.env, ...environment };
  return { dataDir, store: new MigrationStore({ dataDir }), environment: env, now: () => new Date() };
}

describeWithEngine("the sweep of orphaned containers", () => {
  beforeAll(async () => {
    await engine.image(image);
  });
  afterEach(() => cleanUp(cleanups));
  afterAll(() => engine.remove());

  it("keeps those of running workflows and the young, and removes those of closed and unknown ones", async () => {
    const bench = await workbench(cleanups, { "a.txt": "" }, { ...process.env, ...engine.env });
    const { hostId } = bench.host;
    const running = await bench.start(null);
    const closed = await bench.start(null);
    await waitingFor(closed, "advance");
    await closed.signal(contract.stop, { by: "ada", reason: "" });
    await closed.result();
    const kept = await container(hostId, running.workflowId);
    const orphans = [
      await container(hostId, closed.workflowId),
      await container(hostId, "mig_20260101_000000_unknown"),
    ];
    const foreign = await container("another-00000000", "mig_20260101_000000_unknown");

    const young = await sweptBy(bench.client, hostId, 3_600_000);
    expect(young).toMatchObject({ engine: "swept", removed: [], kept: 3 });
    const swept = await sweptBy(bench.client, hostId, 0);
    expect(swept).toMatchObject({ engine: "swept", failed: [], kept: 1 });
    expect(swept.removed).toHaveLength(2);
    for (const orphan of orphans) expect(await exists(orphan.id)).toBe(false);
    expect(await exists(kept.id)).toBe(true);
    expect(await exists(foreign.id)).toBe(true);
    await running.terminate();
  }, 300_000);

  it("removes nothing when Temporal does not answer, though some workflows were found closed", async () => {
    const host = await hostWith(engine.env);
    const hostId = `sweep-${randomBytes(4).toString("hex")}`;
    const one = await container(hostId, "mig_20260101_000000_one");
    const two = await container(hostId, "mig_20260101_000000_two");
    let asked = 0;
    const answersOnce = async (): Promise<boolean> => {
      asked += 1;
      if (asked > 1) throw new TowpathError("TemporalUnreachable", "away");
      return true;
    };
    await expect(sweep(host, { hostId, graceMs: 0 }, "default", answersOnce)).rejects.toThrow("away");
    expect([await exists(one.id), await exists(two.id)]).toEqual([true, true]);
  });

  it("leaves alone what was created after it began", async () => {
    const began = new Date(Date.now() - 60_000);
    const host = { ...(await hostWith(engine.env)), now: () => began };
    const hostId = `sweep-${randomBytes(4).toString("hex")}`;
    const later = await container(hostId, "mig_20260101_000000_later");
    const swept = await sweep(host, { hostId, graceMs: 0 }, "default", () => Promise.resolve(true));
    expect(swept).toMatchObject({ removed: [], kept: 1 });
    expect(await exists(later.id)).toBe(true);
  });

  it("has nothing to do where no engine answers", async () => {
    const host = await hostWith({ DOCKER_HOST: "unix:///nowhere/engine.sock" });
    const running = await startHost(createActivities(host));
    cleanups.push(() => running.shutdown());
    const client = await connectClient();
    cleanups.push(() => client.connection.close());
    expect(await sweptBy(client, running.hostId, 0)).toMatchObject({ engine: "unreachable", removed: [] });
  });
});
