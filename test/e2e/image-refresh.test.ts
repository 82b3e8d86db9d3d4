import { randomBytes } from "node:crypto";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { createActivities } from "../../src/activities/index.js";
import { MigrationStore } from "../../src/adapters/store/migration-store.js";
import {
  nothingToReclaim,
  REFRESH_DEFAULTS,
  type RefreshReport,
  type RefreshRequest,
  refreshWorkflowId,
} from "../../src/model/images/refresh.js";
import { hostQueue } from "../../src/model/queues.js";
import type { imageRefresh } from "../../src/workflows/image-refresh.js";
import { IMAGE_REFRESH_WORKFLOW } from "../../src/workflows/image-refresh.contract.js";
import { describeWithRegistry, TestEngine } from "../support/engine.js";
import { type RecordedRequest, recordingProxy, type RecordingProxy } from "../support/engine-proxy.js";
import { cleanUp } from "../support/migrations.js";
import { temporaryDirectory } from "../support/repository.js";
import { connectClient, type RunningHost, startHost } from "../support/temporal.js";
import type { Client } from "@temporalio/client";

const engine = new TestEngine();
const cleanups: (() => Promise<void>)[] = [];
let client: Client;
let host: RunningHost;
let proxy: RecordingProxy;

async function begin(environment: Record<string, string> = {}): Promise<void> {
  const dataDir = await temporaryDirectory(cleanups);
  proxy = await recordingProxy(engine.host);
  cleanups.push(() => proxy.close());
  const store = new MigrationStore({ dataDir });
  const env = { ...process.env, DOCKER_HOST: proxy.host, ...environment };
  host = await startHost(createActivities({ dataDir, store, environment: env, now: () => new Date() }));
  cleanups.push(() => host.shutdown());
}

async function refresh(reference: string, options: Partial<RefreshRequest> = {}): Promise<RefreshReport> {
  const args: [RefreshRequest] = [
    { ...REFRESH_DEFAULTS, pins: [], hostId: host.hostId, reference, ...options },
  ];
  return client.workflow.execute<typeof imageRefresh>(IMAGE_REFRESH_WORKFLOW, {
    workflowId: refreshWorkflowId(host.hostId, `${reference}-${randomBytes(3).toString("hex")}`, false),
    taskQueue: hostQueue(host.hostId),
    args,
  });
}

/** The repository as pulled once, and a newer image in the registry. @returns the superseded id */
async function superseded(repository: string): Promise<string> {
  await engine.publishedNext(`${repository}:1`);
  const { pulled } = await refresh(`${repository}:1`);
  expect(pulled?.changed).toBe(true);
  const old = await engine.imageId(`${repository}:1`);
  await engine.publishedNext(`${repository}:1`);
  return old;
}

function reasons(report: RefreshReport): Record<string, string> {
  return Object.fromEntries(report.kept.map(({ id, reason }) => [id, reason]));
}

describeWithRegistry("an image refresh on a real engine", () => {
  beforeAll(async () => {
    client = await connectClient();
    await begin();
  });
  beforeEach(() => {
    proxy.requests.length = 0;
    proxy.before = undefined;
  });
  const asked: RecordedRequest[] = [];
  afterEach(() => {
    asked.push(...proxy.requests);
  });
  afterAll(async () => {
    await cleanUp(cleanups);
    await client.connection.close();
    await engine.remove();
  });

  it("removes what a newer image supersedes, keeps the current one by its full id, and measures bytes", async () => {
    const repository = engine.repository("basic");
    const old = await superseded(repository);
    const report = await refresh(`${repository}:1`);
    const current = await engine.imageId(`${repository}:1`);
    expect(current).not.toBe(old);
    expect(report).toMatchObject({
      outcome: "refreshed",
      pulled: { changed: true },
      removed: [{ id: old }],
      skipped: [],
      failed: [],
    });
    expect(reasons(report)).toEqual({ [current]: "current" });
    expect(report.measuredBytes).toBeGreaterThan(0);
    expect(report.estimatedBytes).toBeGreaterThanOrEqual(report.measuredBytes ?? 0);
    expect(await engine.hasImage(old)).toBe(false);

    const again = await refresh(`${repository}:1`);
    expect(again.pulled?.changed).toBe(false);
    expect(nothingToReclaim(again)).toBe(true);
  });

  it("keeps what containers use, in every state, also by two tags and by digest", async () => {
    const repository = engine.repository("used");
    await engine.published(`${repository}:1`);
    const digest = await engine.docker.getImage(`${repository}:1`).inspect();
    const byDigest = digest.RepoDigests.find((name) => name.startsWith(`${repository}@`)) ?? "";
    const used: string[] = [digest.Id];
    await engine.container({ Image: byDigest });
    await engine.publishedNext(`${repository}:1`);
    for (const state of ["running", "paused", "created", "exited"]) {
      const old = await engine.image(`${repository}:${state}`);
      await engine.tag(old, `${repository}:${state}-too`);
      const command = state === "exited" ? ["true"] : ["sleep", "600"];
      const container = await engine.container({ Image: old, Cmd: command });
      if (state !== "created") await container.start();
      if (state === "paused") await container.pause();
      if (state === "exited") await container.wait();
      used.push(old);
    }
    const unused = await engine.image(`${repository}:unused`);
    const report = await refresh(`${repository}:1`);
    expect(report).toMatchObject({ removed: [{ id: unused }], skipped: [], failed: [] });
    const current = await engine.imageId(`${repository}:1`);
    const inUse = used.map((id) => [id, "in-use"]);
    expect(reasons(report)).toEqual({ ...Object.fromEntries(inUse), [current]: "current" });
    for (const id of used) expect(await engine.hasImage(id)).toBe(true);
    expect(await engine.hasImage(byDigest)).toBe(true);
    expect(await engine.imageId(`${repository}:paused-too`)).toBe(
      await engine.imageId(`${repository}:paused`),
    );
  }, 300_000);

  it("takes a digest for what is current, and removes what has only tags beside it", async () => {
    const repository = engine.repository("digest");
    const id = await engine.published(`${repository}:1`);
    const { RepoDigests } = await engine.docker.getImage(id).inspect();
    const reference = RepoDigests.find((name) => name.startsWith(`${repository}@`)) ?? "";
    const other = await engine.image(`${repository}:other`);
    const report = await refresh(reference);
    expect(report).toMatchObject({
      reference,
      pulled: { digest: reference.slice(reference.indexOf("@") + 1), changed: false },
      removed: [{ id: other }],
    });
    expect(reasons(report)).toEqual({ [id]: "current" });
  });

  it("leaves alone what only looks like ours, and takes of a shared image only our names", async () => {
    const repository = engine.repository("app");
    const old = await superseded(repository);
    const decoys = [
      `${repository}-extra:1`,
      `other.example:5000/${engine.name}/app:1`,
      `${engine.registry}/prefix/${engine.name}/app:1`,
      `${engine.name}/app:1`,
    ];
    for (const decoy of decoys) await engine.image(decoy);
    await engine.tag(old, `${engine.name}-foreign/kept:1`);
    const derived = `${engine.name}-derived:1`;
    const container = await engine.container({ Image: old });
    await container.commit({ repo: `${engine.name}-derived`, tag: "1" });
    await container.remove();
    const pinned = await engine.image(`${repository}:pinned-1`);
    const labelled = await engine.image(`${repository}:labelled`, { changes: ["LABEL towpath.keep=true"] });

    const report = await refresh(`${repository}:1`, { pins: ["pinned-*"] });
    expect(report).toMatchObject({ failed: [], skipped: [], removed: [{ id: old, bytes: 0 }] });
    expect(reasons(report)).toMatchObject({ [pinned]: "pinned", [labelled]: "pinned" });
    for (const decoy of [...decoys, derived, `${engine.name}-foreign/kept:1`]) {
      expect(await engine.hasImage(decoy)).toBe(true);
    }
    expect(await engine.imageId(`${engine.name}-foreign/kept:1`)).toBe(old);
  }, 300_000);

  it("keeps the newest, the young, and everything below the threshold", async () => {
    const repository = engine.repository("kept");
    const old = await superseded(repository);
    expect(reasons(await refresh(`${repository}:1`, { minAgeMs: 3_600_000 }))[old]).toBe("young");
    expect(reasons(await refresh(`${repository}:1`, { keepNewest: 2 }))[old]).toBe("newest");
    expect(reasons(await refresh(`${repository}:1`, { aboveBytes: 1e15 }))[old]).toBe("below-threshold");
    expect(reasons(await refresh(`${repository}:1`, { aboveDiskPercent: 100 }))[old]).toBe("below-threshold");
    const gone = await refresh(`${repository}:1`, { aboveBytes: 1, aboveDiskPercent: 0, keepNewest: 1 });
    expect(gone.removed.map(({ id }) => id)).toEqual([old]);
  }, 300_000);

  it("knows a superseded image that has lost its every name", async () => {
    const repository = engine.repository("nameless");
    await engine.publishedNext(`${repository}:1`);
    await refresh(`${repository}:1`);
    const old = await engine.imageId(`${repository}:1`);
    const { RepoDigests } = await engine.docker.getImage(old).inspect();
    const container = await engine.container({ Image: old });
    for (const digest of RepoDigests)
      await engine.docker
        .getImage(digest)
        .remove()
        .catch(() => {});
    await engine.publishedNext(`${repository}:1`);
    await refresh(`${repository}:1`);
    await container.remove();
    const report = await refresh(`${repository}:1`);
    expect(report.removed.map(({ id }) => id)).toEqual([old]);
    expect(await engine.hasImage(old)).toBe(false);
  }, 300_000);

  it("shows in a dry run what an applied plan then removes, and removes nothing that was not shown", async () => {
    const repository = engine.repository("plan");
    const old = await superseded(repository);
    const planned = await refresh(`${repository}:1`, { dryRun: true });
    expect(planned).toMatchObject({ outcome: "planned", removed: [], plan: { remove: [{ id: old }] } });
    expect(proxy.requests.filter(({ method }) => method === "DELETE")).toEqual([]);
    const later = await engine.image(`${repository}:later`);
    const applied = await refresh(`${repository}:1`, { shown: planned.plan });
    expect(applied.removed.map(({ id }) => id)).toEqual([old]);
    expect(await engine.hasImage(later)).toBe(true);
  });

  it("removes nothing when the pull fails", async () => {
    const repository = engine.repository("failing");
    const old = await superseded(repository);
    const report = await refresh(`${repository}:none`);
    expect(report).toMatchObject({ outcome: "pull-failed", local: false, removed: [], measuredBytes: null });
    expect(report.problem).toContain("There is no image");
    expect(await engine.hasImage(old)).toBe(true);
    expect(proxy.requests.filter(({ method }) => method === "DELETE")).toEqual([]);
  });

  it("joins two requests for one repository, which pull and remove once", async () => {
    const repository = engine.repository("twice");
    const old = await superseded(repository);
    proxy.requests.length = 0;
    const [one, two] = await Promise.all([refresh(`${repository}:1`), refresh(`${repository}:1`)]);
    expect(
      [one.removed, two.removed]
        .flat()
        .map(({ id }) => id)
        .filter((id) => id === old).length,
    ).toBeGreaterThan(0);
    expect(proxy.requests.filter(({ url }) => url.includes("/images/create"))).toHaveLength(1);
    expect(await engine.hasImage(old)).toBe(false);
  });

  it("breaks no container that is made between plan and removal", async () => {
    const repository = engine.repository("between");
    const old = await superseded(repository);
    let made = false;
    proxy.before = async ({ method, url }) => {
      // The first look of the removal itself comes with the second listing of containers.
      if (made || method !== "GET" || !url.startsWith("/system/df")) return;
      made = true;
      await engine.container({ Image: old });
    };
    const report = await refresh(`${repository}:1`);
    expect(made).toBe(true);
    expect(report).toMatchObject({ removed: [], failed: [], skipped: [{ id: old }] });
    expect(await engine.hasImage(old)).toBe(true);
  });

  it("has in all of this never used force, nor the engine's own prune", () => {
    const removals = asked.filter(({ method }) => method === "DELETE");
    expect(removals.length).toBeGreaterThan(3);
    expect(removals.filter(({ url }) => /force=(1|true)/.test(url))).toEqual([]);
    expect(asked.filter(({ url }) => /\/prune/.test(url))).toEqual([]);
  });
});

describeWithRegistry("an image refresh that is switched off", () => {
  afterEach(() => cleanUp(cleanups));

  it.each([
    { by: "the environment", environment: { TOWPATH_IMAGE_PRUNE: "0" }, options: {} },
    { by: "the request", environment: {}, options: { prune: false } },
  ])("by $by makes no call to the engine", async ({ environment, options }) => {
    client = await connectClient();
    cleanups.push(() => client.connection.close());
    await begin(environment);
    const report = await refresh("any/image:1", options);
    expect(report).toMatchObject({ outcome: "skipped", pulled: null, removed: [] });
    expect(proxy.requests).toEqual([]);
  });
});
