import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Engine } from "../../../src/adapters/docker/engine.js";
import { applyPrune } from "../../../src/adapters/docker/prune.js";
import { planPrune, type PrunePlan } from "../../../src/model/images/prune-plan.js";
import { parseReference } from "../../../src/model/images/reference.js";
import { recordedEngine, type RecordedEngine } from "../../support/recorded-engine.js";

const A = `sha256:${"a".repeat(64)}`;
const B = `sha256:${"b".repeat(64)}`;
const DIGEST = `sha256:${"d".repeat(64)}`;

let recorded: RecordedEngine;
let engine: Engine;

beforeEach(async () => {
  recorded = await recordedEngine({
    "GET /containers/json": { status: 200, body: [] },
    "GET /images/json": { status: 200, body: [] },
  });
  engine = await Engine.of(recorded.env);
});
afterEach(() => recorded.close());

function plan(id: string, tags: readonly string[], digests: readonly string[] = []): PrunePlan {
  return planPrune(
    parseReference("r:1"),
    { keepNewest: 0, minAgeMs: 0, pins: [], keepTagged: false },
    {
      images: [{ id, tags: [...tags], digests: [...digests], createdMs: 0, bytes: 10, labels: {} }],
      containers: [],
      currentId: "current",
      reserved: [],
      firstSeen: {},
      nowMs: 0,
      pressure: true,
    },
  );
}

function has(name: string, id: string): void {
  recorded.answer(`GET /images/${name}/json`, { status: 200, body: { Id: id } });
}

function removal(name: string, status: number, body: unknown = []): void {
  recorded.answer(`DELETE /images/${name}`, { status, body });
}

describe("images as engines list them", () => {
  it.each([
    [
      "Docker 20.10, dangling",
      { Id: A, RepoTags: ["<none>:<none>"], RepoDigests: [`r@${DIGEST}`], Created: 5, Size: 7, Labels: null },
      [],
      [`r@${DIGEST}`],
    ],
    [
      "Docker 20.10, imported",
      { Id: A, RepoTags: ["r:1"], RepoDigests: null, Created: 5, Size: 7, Labels: null },
      ["r:1"],
      [],
    ],
    [
      "Docker 20.10, no name at all",
      { Id: A, RepoTags: null, RepoDigests: ["<none>@<none>"], Created: 5, Size: 7, Labels: {} },
      [],
      [],
    ],
    [
      "Docker 28, empty lists",
      { Id: A, RepoTags: [], RepoDigests: [], Created: 5, Size: 7, Labels: {}, Containers: -1 },
      [],
      [],
    ],
    [
      "containerd image store, superseded",
      {
        Id: A,
        RepoTags: [],
        RepoDigests: [`moby-dangling@${A}`],
        Created: 5,
        Size: 7,
        Labels: null,
        Descriptor: { size: 1 },
      },
      [],
      [`moby-dangling@${A}`],
    ],
    [
      "podman",
      {
        Id: A.slice(7),
        RepoTags: ["docker.io/library/r:1"],
        RepoDigests: [],
        Created: 5,
        Size: 7,
        Labels: {},
        Names: [],
      },
      ["docker.io/library/r:1"],
      [],
    ],
  ])("%s", async (_engine, listed, tags, digests) => {
    recorded.answer("GET /images/json", { status: 200, body: [listed] });
    expect(await engine.images()).toEqual([{ id: A, tags, digests, createdMs: 5000, bytes: 7, labels: {} }]);
  });

  it("an answer of another shape is told, not believed", async () => {
    recorded.answer("GET /images/json", { status: 200, body: [{ Id: 5 }] });
    await expect(engine.images()).rejects.toMatchObject({ type: "EngineFailed" });
    recorded.answer("GET /images/json", { status: 500, body: { message: "internal" } });
    await expect(engine.images()).rejects.toMatchObject({
      type: "EngineFailed",
      message: expect.stringContaining("internal") as unknown,
    });
  });
});

describe("containers as engines list them", () => {
  it.each([
    [
      "Docker, whose image is a bare digest once its tag moved",
      {
        Id: "c",
        Names: ["/one"],
        Image: A.slice(7, 19),
        ImageID: A,
        State: "paused",
        Labels: {},
        Created: 5,
      },
      "paused",
    ],
    [
      "podman, created",
      {
        Id: "c",
        Names: ["one"],
        Image: "r",
        ImageID: A.slice(7),
        State: "configured",
        Labels: null,
        Created: 5,
      },
      "created",
    ],
    [
      "podman, stopped",
      { Id: "c", Names: ["/one"], Image: "r", ImageID: A, State: "stopped", Labels: {}, Created: 5 },
      "exited",
    ],
    [
      "a state of tomorrow",
      { Id: "c", Names: ["/one"], Image: "r", ImageID: A, State: "dreaming", Labels: {}, Created: 5 },
      "unknown",
    ],
  ])("%s", async (_engine, listed, state) => {
    recorded.answer("GET /containers/json", { status: 200, body: [listed] });
    expect(await engine.containers()).toEqual([
      { id: "c", name: "one", imageId: A, state, labels: {}, createdMs: 5000 },
    ]);
    expect(recorded.asked).toEqual(["GET /containers/json?all=true"]);
  });
});

describe("applyPrune", () => {
  it("removes by tag, then by digest, then by id", async () => {
    for (const name of ["r:old", `r@${DIGEST}`]) has(name, A);
    for (const name of ["r:old", `r@${DIGEST}`, A]) removal(name, 200);
    expect(await applyPrune(engine, plan(A, ["r:old"], [`r@${DIGEST}`]))).toMatchObject({
      removed: [{ id: A, references: ["r:old", `r@${DIGEST}`], bytes: 10 }],
    });
    expect(recorded.asked.filter((request) => request.startsWith("DELETE"))).toEqual([
      "DELETE /images/r:old?force=false",
      `DELETE /images/r@${DIGEST}?force=false`,
      `DELETE /images/${A}?force=false`,
    ]);
  });

  it("takes 404 for gone, 409 for in use, and goes on after anything else", async () => {
    for (const [name, id] of [
      ["r:gone", A],
      ["r:used", B],
      ["r:broken", `sha256:${"c".repeat(64)}`],
    ] as const)
      has(name, id);
    removal("r:gone", 404, { message: "No such image" });
    removal(A, 404, { message: "No such image" });
    removal("r:used", 409, {
      message: "conflict: unable to remove repository reference (must force) - container 12 is using",
    });
    removal("r:broken", 500, { message: "disk on fire" });
    const three = [plan(A, ["r:gone"]), plan(B, ["r:used"]), plan(`sha256:${"c".repeat(64)}`, ["r:broken"])];
    const [first] = three;
    const result = await applyPrune(engine, {
      repository: first?.repository ?? "",
      current: "",
      kept: [],
      notOurs: 0,
      remove: [three[2], three[0], three[1]].flatMap((each) => each?.remove ?? []),
    });
    expect(result.removed).toMatchObject([{ id: A }]);
    expect(result.skipped).toMatchObject([
      { id: B, reason: expect.stringContaining("container 12 is using") as unknown },
    ]);
    expect(result.failed).toMatchObject([{ reason: expect.stringContaining("disk on fire") as unknown }]);
  });

  it("leaves a tag alone that means another image by now, and an image that a container came to use", async () => {
    has("r:old", B);
    removal(A, 409, { message: "conflict: image is being used" });
    expect(await applyPrune(engine, plan(A, ["r:old"]))).toMatchObject({ removed: [], skipped: [{ id: A }] });
    expect(recorded.asked).not.toContain("DELETE /images/r:old?force=false");
    recorded.asked.length = 0;
    const container = { Id: "c", Names: ["/late"], ImageID: A, State: "created", Labels: {}, Created: 0 };
    recorded.answer("GET /containers/json", { status: 200, body: [container] });
    expect(await applyPrune(engine, plan(A, ["r:old"]))).toMatchObject({
      skipped: [{ id: A, reason: "in use by container late" }],
    });
    expect(recorded.asked.filter((request) => request.startsWith("DELETE"))).toEqual([]);
  });
});
