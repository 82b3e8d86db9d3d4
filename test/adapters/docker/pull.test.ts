import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Engine } from "../../../src/adapters/docker/engine.js";
import { pullImage, type PullProgress } from "../../../src/adapters/docker/pull.js";
import { parseReference } from "../../../src/model/images/reference.js";
import { lines, type Recorded, recordedEngine, type RecordedEngine } from "../../support/recorded-engine.js";

const OLD = `sha256:${"0".repeat(64)}`;
const NEW = `sha256:${"1".repeat(64)}`;
const DIGEST = `sha256:${"d".repeat(64)}`;
const PULL = "POST /images/create";
const INSPECT = "GET /images/host:5000/r:1/json";

let recorded: RecordedEngine;
let engine: Engine;

beforeEach(async () => {
  recorded = await recordedEngine({
    [INSPECT]: { status: 404, body: { message: "No such image: host:5000/r:1" } },
  });
  engine = await Engine.of(recorded.env);
});
afterEach(() => recorded.close());

/** The pull's answer; behind it the engine has the image. */
function answers(answer: Recorded): void {
  recorded.answer(PULL, {
    act: (request, response) => {
      recorded.answer(INSPECT, {
        status: 200,
        body: {
          Id: NEW,
          RepoTags: ["host:5000/r:1"],
          RepoDigests: [`other/r@${OLD}`, `host:5000/r@${DIGEST}`],
        },
      });
      if ("act" in answer) answer.act(request, response);
      else {
        response.writeHead(answer.status, { "content-type": "application/json" });
        response.end(JSON.stringify(answer.body));
      }
    },
  });
}

function pull(onProgress?: (progress: PullProgress) => void) {
  return pullImage(engine, parseReference("host:5000/r:1"), { onProgress });
}

const LAYERS = [
  { status: "Pulling from r", id: "1" },
  { status: "Pulling fs layer", progressDetail: {}, id: "aaaaaaaaaaaa" },
  {
    status: "Downloading",
    progressDetail: { current: 50, total: 100 },
    progress: "[==>  ]",
    id: "aaaaaaaaaaaa",
  },
  { status: "Downloading", progressDetail: { current: 100, total: 100 }, id: "aaaaaaaaaaaa" },
  { status: "Pull complete", progressDetail: {}, id: "aaaaaaaaaaaa" },
  { status: `Digest: ${DIGEST}` },
  { status: "Status: Downloaded newer image for host:5000/r:1" },
];

describe("pullImage", () => {
  it.each(["properly", "without newline"] as const)(
    "tells progress, id, digest and change of a stream that ends %s",
    async (end) => {
      answers(lines(LAYERS, end));
      const seen: PullProgress[] = [];
      const pulled = await pull((progress) => seen.push(progress));
      expect(pulled).toEqual({ id: NEW, digest: DIGEST, changed: true });
      expect(seen.at(-1)).toMatchObject({ layers: 1, layersDone: 1, bytes: 100, totalBytes: 100 });
      expect(seen).toHaveLength(LAYERS.length);
      expect(recorded.asked).toContain(`${PULL}?fromImage=host:5000/r&tag=1`);
    },
  );

  it("knows by the image's id whether something changed, whatever the stream says", async () => {
    recorded.answer(INSPECT, { status: 200, body: { Id: NEW, RepoTags: null, RepoDigests: null } });
    recorded.answer(PULL, lines([{ status: "Status: Downloaded newer image" }]));
    expect(await pull()).toEqual({ id: NEW, digest: NEW, changed: false });
  });

  it("asks for one tag, or one digest, never for all", async () => {
    answers(lines(LAYERS));
    const byDigest = `host:5000/r@${DIGEST}`;
    recorded.answer(`GET /images/${byDigest}/json`, { status: 200, body: { Id: NEW } });
    await pullImage(engine, parseReference(byDigest));
    recorded.answer("GET /images/node:latest/json", { status: 200, body: { Id: NEW } });
    await pullImage(engine, parseReference("node"));
    const pulls = recorded.asked.filter((request) => request.startsWith(PULL));
    expect(pulls).toEqual([
      `${PULL}?fromImage=host:5000/r&tag=${DIGEST}`,
      `${PULL}?fromImage=node&tag=latest`,
    ]);
  });

  it.each([
    [
      "404 of a newer engine",
      { status: 404, body: { message: "manifest for host:5000/r:1 not found: manifest unknown" } },
      "ImageNotFound",
    ],
    [
      "500 of 20.10 for an unknown tag",
      { status: 500, body: { message: "manifest for host:5000/r:1 not found" } },
      "ImageNotFound",
    ],
    [
      "a private repository",
      {
        status: 404,
        body: {
          message: "pull access denied for r, repository does not exist or may require 'docker login'",
        },
      },
      "RegistryRefused",
    ],
    ["401", { status: 401, body: { message: "unauthorized" } }, "RegistryRefused"],
    ["403", { status: 403, body: { message: "denied" } }, "RegistryRefused"],
    ["429", { status: 429, body: { message: "too many" } }, "PullFailed"],
    [
      "500 that means 429",
      { status: 500, body: { message: "toomanyrequests: You have reached your pull rate limit" } },
      "PullFailed",
    ],
    ["500", { status: 500, body: { message: "Get https://host:5000/v2/: EOF" } }, "PullFailed"],
    ["503", { status: 503, body: { message: "unavailable" } }, "PullFailed"],
    [
      "an error inside the stream",
      lines([...LAYERS.slice(0, 2), { error: "unexpected EOF", errorDetail: { message: "unexpected EOF" } }]),
      "PullFailed",
    ],
    [
      "an error as the last line, without a newline",
      lines([{ error: "manifest unknown" }], "without newline"),
      "ImageNotFound",
    ],
    [
      "podman's error in the stream",
      lines([{ error: "initializing source: reading manifest 1: unauthorized" }]),
      "RegistryRefused",
    ],
    ["a stream that is cut", lines(LAYERS.slice(0, 3), "cut"), "PullFailed"],
  ] as const)("fails on %s", async (_name, answer: Recorded, type) => {
    answers(answer);
    await expect(pull()).rejects.toMatchObject({ type });
  });

  it("fails when the engine says that it pulled, and has nothing", async () => {
    recorded.answer(PULL, lines(LAYERS));
    await expect(pull()).rejects.toMatchObject({ type: "PullFailed" });
  });

  it("fails when there is no engine", async () => {
    await recorded.close();
    await expect(pull()).rejects.toMatchObject({ type: "EngineUnreachable" });
    recorded = await recordedEngine();
  });

  it("hands the registry's credentials over, and shows them to nobody", async () => {
    const directory = join(recorded.env["HOME"] ?? "", ".docker");
    await mkdir(directory);
    const auth = Buffer.from("ada:canary-secret").toString("base64");
    await writeFile(join(directory, "config.json"), JSON.stringify({ auths: { "host:5000": { auth } } }));
    answers({ status: 401, body: { message: "unauthorized: ada with canary-secret is not known" } });
    const failed = await pull().catch((error: unknown) => error);
    const sent = recorded.headers[recorded.asked.findIndex((name) => name.startsWith(PULL))];
    expect(JSON.parse(Buffer.from(String(sent?.["x-registry-auth"]), "base64url").toString())).toEqual({
      username: "ada",
      password: "canary-secret",
      serveraddress: "host:5000",
    });
    expect(String(failed)).toContain("***");
    expect(`${String(failed)} ${JSON.stringify(failed)}`).not.toContain("canary-secret");
  });
});
