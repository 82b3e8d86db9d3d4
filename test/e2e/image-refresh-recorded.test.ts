import { randomBytes } from "node:crypto";
import type { ServerResponse } from "node:http";
import { defaultPayloadConverter } from "@temporalio/common";
import type { Client } from "@temporalio/client";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { createActivities } from "../../src/activities/index.js";
import { MigrationStore } from "../../src/adapters/store/migration-store.js";
import {
  describeRefresh,
  REFRESH_DEFAULTS,
  type RefreshReport,
  type RefreshRequest,
  refreshWorkflowId,
} from "../../src/model/images/refresh.js";
import { hostQueue } from "../../src/model/queues.js";
import type { imageRefresh } from "../../src/workflows/image-refresh.js";
import { IMAGE_REFRESH_WORKFLOW } from "../../src/workflows/image-refresh.contract.js";
import { cleanUp } from "../support/migrations.js";
import { lines, type Recorded, recordedEngine, type RecordedEngine } from "../support/recorded-engine.js";
import { temporaryDirectory } from "../support/repository.js";
import { connectClient, type RunningHost, startHost } from "../support/temporal.js";

const OLD = `sha256:${"0".repeat(64)}`;
const NEW = `sha256:${"1".repeat(64)}`;
const PULL = "POST /images/create";

const cleanups: (() => Promise<void>)[] = [];
let recorded: RecordedEngine;
let client: Client;
let host: RunningHost;

function image(Id: string, RepoTags: readonly string[], RepoDigests: readonly string[] = []): unknown {
  return { Id, RepoTags, RepoDigests, Created: 1, Size: 100, Labels: null };
}

/** The engine's images from now on. */
function has(
  ...images: readonly (readonly [id: string, tags: readonly string[], digests?: readonly string[]])[]
) {
  recorded.answer("GET /images/json", { status: 200, body: images.map((each) => image(...each)) });
  for (const [Id, tags, digests = []] of images) {
    for (const name of [...tags, ...digests])
      recorded.answer(`GET /images/${name}/json`, { status: 200, body: { Id, RepoDigests: digests } });
  }
}

function start(reference: string, options: Partial<RefreshRequest> = {}) {
  const args: [RefreshRequest] = [
    { ...REFRESH_DEFAULTS, pins: [], hostId: host.hostId, reference, ...options },
  ];
  return client.workflow.start<typeof imageRefresh>(IMAGE_REFRESH_WORKFLOW, {
    workflowId: refreshWorkflowId(host.hostId, `${reference}-${randomBytes(3).toString("hex")}`, false),
    taskQueue: hostQueue(host.hostId),
    args,
  });
}

async function refresh(reference: string, options: Partial<RefreshRequest> = {}): Promise<RefreshReport> {
  return (await start(reference, options)).result();
}

function asked(beginning: string): string[] {
  return recorded.asked.filter((request) => request.startsWith(beginning));
}

beforeAll(async () => {
  const dataDir = await temporaryDirectory(cleanups);
  recorded = await recordedEngine();
  cleanups.push(() => recorded.close());
  const store = new MigrationStore({ dataDir });
  const environment = { ...process.env, ...recorded.env };
  host = await startHost(createActivities({ dataDir, store, environment, now: () => new Date() }));
  cleanups.push(() => host.shutdown());
  client = await connectClient();
  cleanups.push(() => client.connection.close());
});
beforeEach(() => {
  recorded.reset({
    "GET /containers/json": { status: 200, body: [] },
    "GET /system/df": { status: 200, body: { LayersSize: 100 } },
    [PULL]: lines([{ status: "Status: Downloaded newer image" }]),
  });
});
afterAll(() => cleanUp(cleanups));

describe("an image refresh whose pull fails", () => {
  const CUT = lines([{ status: "Downloading", id: "aaaaaaaaaaaa" }], "cut");
  const TOO_MANY = { status: 429, body: { message: "toomanyrequests: rate limit" } };

  it.each<[string, Recorded, string]>([
    ["404", { status: 404, body: { message: "manifest unknown" } }, "ImageNotFound"],
    ["401", { status: 401, body: { message: "unauthorized" } }, "RegistryRefused"],
    ["403", { status: 403, body: { message: "denied" } }, "RegistryRefused"],
    ["429", TOO_MANY, "PullFailed"],
    ["503", { status: 503, body: { message: "unavailable" } }, "PullFailed"],
    ["an error in the stream", lines([{ error: "unexpected EOF" }]), "PullFailed"],
    ["a stream that is cut", CUT, "PullFailed"],
  ])(
    "by %s removes nothing, and says that the image that is here stays",
    async (_by, answer, problemType) => {
      has([OLD, ["app:old"]], [NEW, ["app:1"]]);
      recorded.answer(PULL, answer);
      const report = await refresh("app:1", { keepNewest: 0 });
      expect(report).toMatchObject({ outcome: "pull-failed", problemType, local: true, removed: [] });
      expect(describeRefresh(report)).toContain("the image that is here stays in use");
      expect(asked("DELETE")).toEqual([]);
      expect(asked("GET /images/json")).toEqual([]);
    },
  );

  it("for want of an engine removes nothing, and says that there is no image here", async () => {
    const dies: Recorded = { act: (_request, response) => response.destroy() };
    for (const request of ["GET /images/app:1/json", PULL]) recorded.answer(request, dies);
    const report = await refresh("app:1");
    expect(report).toMatchObject({ outcome: "pull-failed", problemType: "EngineUnreachable", local: false });
    expect(describeRefresh(report)).toContain("there is none here either");
  });
});

describe("an image refresh", () => {
  it("tells how far its pull has come with its heartbeats", async () => {
    has([NEW, ["app:1"]]);
    let open: ServerResponse | undefined;
    recorded.answer(PULL, {
      act: (_request, response) => {
        open = response;
        const progressDetail = { current: 50, total: 100 };
        response.writeHead(200, { "content-type": "application/json" });
        response.write(
          `${JSON.stringify({ status: "Downloading", progressDetail, id: "aaaaaaaaaaaa" })}\r\n`,
        );
      },
    });
    const handle = await start("app:1");
    const heartbeat = async (): Promise<unknown> => {
      const { raw } = await handle.describe();
      const [payload] = raw.pendingActivities?.[0]?.heartbeatDetails?.payloads ?? [];
      return payload === undefined ? null : defaultPayloadConverter.fromPayload(payload);
    };
    await expect.poll(heartbeat, { timeout: 90_000 }).toEqual({
      pulling: "app:1",
      status: "Downloading",
      layers: 1,
      layersDone: 0,
      bytes: 50,
      totalBytes: 100,
    });
    open?.end();
    expect(await handle.result()).toMatchObject({ outcome: "refreshed" });
  });

  it("on the containerd image store removes what it has seen before under its name, and no other's", async () => {
    const foreign = `sha256:${"2".repeat(64)}`;
    has([OLD, ["app:1"]]);
    expect(await refresh("app:1")).toMatchObject({ removed: [] });
    // A newer image took the tag; the old one, and one of another repository, are left with the store's own names.
    has([OLD, [], [`moby-dangling@${OLD}`]], [foreign, [], [`moby-dangling@${foreign}`]], [NEW, ["app:1"]]);
    recorded.answer(`DELETE /images/${OLD}`, { status: 200, body: [] });
    expect(await refresh("app:1")).toMatchObject({ removed: [{ id: OLD }], failed: [] });
    expect(asked("DELETE")).toEqual([`DELETE /images/${OLD}?force=false`]);
  });

  it("of podman recognises its own by their full names and bare ids", async () => {
    recorded.answer("GET /images/json", {
      status: 200,
      body: [
        image(OLD.slice(7), ["docker.io/library/app:old"]),
        image(NEW.slice(7), ["docker.io/library/app:1"]),
        image("3".repeat(64), ["localhost/app:1"]),
      ],
    });
    recorded.answer("GET /images/app:1/json", { status: 200, body: { Id: NEW.slice(7) } });
    recorded.answer("GET /images/docker.io/library/app:old/json", {
      status: 200,
      body: { Id: OLD.slice(7) },
    });
    for (const name of ["docker.io/library/app:old", OLD])
      recorded.answer(`DELETE /images/${name}`, { status: 200, body: [] });
    expect(await refresh("app:1")).toMatchObject({
      removed: [{ id: OLD, references: ["docker.io/library/app:old"] }],
      kept: [{ id: NEW, reason: "current" }],
    });
  });

  it("joins one for the same image, and lets one for another tag of the repository wait its turn", async () => {
    has([OLD, ["app:1"]], [NEW, ["app:2"]]);
    const pulling: { readonly url: string; readonly response: ServerResponse }[] = [];
    recorded.answer(PULL, {
      act: (request, response) => {
        pulling.push({ url: request.url ?? "", response });
        response.writeHead(200, { "content-type": "application/json" });
        response.write(`${JSON.stringify({ status: "Downloading" })}\r\n`);
      },
    });
    const options = { keepNewest: 2 };
    const [one, two] = [await start("app:1", options), await start("app:1", options)];
    await expect.poll(() => pulling.length, { timeout: 90_000 }).toBe(1);
    const other = await start("app:2", options);
    const hasBegun = async (): Promise<boolean> =>
      ((await other.describe()).raw.pendingActivities?.[0]?.lastStartedTime ?? null) !== null;
    await expect.poll(hasBegun, { timeout: 90_000 }).toBe(true);
    pulling[0]?.response.end();
    expect(await one.result()).toMatchObject({ reference: "app:1" });
    expect(await two.result()).toMatchObject({ reference: "app:1" });
    await expect.poll(() => pulling.length, { timeout: 90_000 }).toBe(2);
    pulling[1]?.response.end();
    expect(await other.result()).toMatchObject({ reference: "app:2" });
    expect(pulling.map(({ url }) => new URL(url, "http://engine").searchParams.get("tag"))).toEqual([
      "1",
      "2",
    ]);
  });
});
