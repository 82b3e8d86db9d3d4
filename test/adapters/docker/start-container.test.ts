import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { Engine } from "../../../src/adapters/docker/engine.js";
import { type ContainerRequest, startContainer } from "../../../src/adapters/docker/start-container.js";
import { type ContainerIdentity, labelsOf } from "../../../src/model/containers/labels.js";
import { recordedEngine, type RecordedEngine } from "../../support/recorded-engine.js";

const IDENTITY: ContainerIdentity = {
  kind: "step",
  namespace: "default",
  workflowId: "mig_20260101_000000_one",
  runId: "run",
  stepId: "one",
  attempt: 1,
  command: "run",
  projectId: "0".repeat(64),
  projectDir: "/project",
  hostId: "host",
  createdAt: "2026-01-01T00:00:00.000Z",
  secretNames: "DEPLOY_KEY",
};

const REQUEST: ContainerRequest = {
  name: "towpath-one",
  identity: IDENTITY,
  image: "tools:1",
  command: ["sh", "-c", "the script"],
  env: { DEPLOY_KEY: "canary-31" },
  workingDirectory: "/work",
  user: "1000:1000",
  mounts: [{ path: "/work", readOnly: false }],
  network: "none",
  memoryBytes: 1024,
  cpus: 1,
  pids: 8,
};

const CREATE = "POST /containers/create";
const START = "POST /containers/c1/start";
const INSPECT = "GET /containers/towpath-one/json";

let recorded: RecordedEngine;
let engine: Engine;
let prepared: number;

beforeEach(async () => {
  recorded = await recordedEngine({
    [CREATE]: { status: 201, body: { Id: "c1", Warnings: [] } },
    [START]: { status: 204, body: undefined },
  });
  engine = await Engine.of(recorded.env);
  prepared = 0;
});
afterEach(() => recorded.close());

function begin(request: ContainerRequest = REQUEST) {
  return startContainer(engine, request, async () => {
    prepared += 1;
    await Promise.resolve();
  });
}

/** A container of the request's name is there. */
function isThere(identity: ContainerIdentity | null, Status: string): void {
  const State = { Status, Running: Status === "running", ExitCode: 0, StartedAt: "", FinishedAt: "" };
  const Config = { Image: "tools:1", Labels: identity === null ? {} : labelsOf(identity), Env: [] };
  recorded.answer(INSPECT, {
    status: 200,
    body: { Id: "c1", Name: "/towpath-one", Config, State },
  });
}

function asked(method: string): string[] {
  return recorded.asked.filter((request) => request.startsWith(method));
}

describe("startContainer", () => {
  it("creates and starts it, and says nothing in the address but its name", async () => {
    const sent: Buffer[] = [];
    recorded.answer(CREATE, {
      act: (request, response) => {
        request.on("data", (piece: Buffer) => sent.push(piece));
        request.on("end", () => {
          response.writeHead(201, { "content-type": "application/json" });
          response.end(JSON.stringify({ Id: "c1" }));
        });
      },
    });
    expect(await begin()).toEqual({ id: "c1", adopted: false });
    expect(prepared).toBe(1);
    expect(recorded.asked).toEqual([INSPECT, `${CREATE}?name=towpath-one`, START]);
    const Body = z.looseObject({ Image: z.string(), Env: z.array(z.string()) });
    expect(Body.parse(JSON.parse(Buffer.concat(sent).toString()))).toMatchObject({
      Image: "tools:1",
      Env: ["DEPLOY_KEY=canary-31"],
      Labels: labelsOf(IDENTITY),
    });
  });

  it("takes over the one of this very command, whatever it does, and starts one that was never started", async () => {
    for (const state of ["running", "exited"]) {
      isThere({ ...IDENTITY, runId: "earlier", createdAt: "2025-01-01T00:00:00.000Z" }, state);
      expect(await begin()).toEqual({ id: "c1", adopted: true });
    }
    expect(asked("POST")).toEqual([]);
    isThere(IDENTITY, "created");
    expect(await begin()).toEqual({ id: "c1", adopted: false });
    expect(asked("POST")).toEqual([START]);
    expect(prepared).toBe(0);
  });

  it("takes over one that somebody made at the same time, when the labels say that it is this command's", async () => {
    recorded.answer(CREATE, {
      act: (_request, response) => {
        isThere(IDENTITY, "running");
        response.writeHead(409, { "content-type": "application/json" });
        response.end(
          JSON.stringify({ message: 'Conflict. The container name "/towpath-one" is already in use' }),
        );
      },
    });
    expect(await begin()).toEqual({ id: "c1", adopted: true });
  });

  it.each([
    ["nobody's labels", null],
    ["another attempt's", { ...IDENTITY, attempt: 2 }],
    ["another host's", { ...IDENTITY, hostId: "other" }],
  ])("refuses one of its name with %s, and touches it in no way", async (_whose, identity) => {
    isThere(identity, "exited");
    await expect(begin()).rejects.toMatchObject({ type: "ForeignEffect" });
    expect([...asked("POST"), ...asked("DELETE")]).toEqual([]);
  });

  it("tells a missing image from a command that cannot run, and leaves none of those behind", async () => {
    recorded.answer(CREATE, { status: 404, body: { message: "No such image: tools:1" } });
    expect(await begin()).toEqual({ missing: "image" });
    recorded.answer(CREATE, { status: 201, body: { Id: "c1" } });
    const message = 'OCI runtime create failed: exec: "sh": executable file not found in $PATH';
    recorded.answer(START, { status: 400, body: { message } });
    recorded.answer("DELETE /containers/c1", { status: 204, body: undefined });
    expect(await begin()).toEqual({ failure: message });
    expect(asked("DELETE")).toEqual(["DELETE /containers/c1?v=true"]);
  });

  it.each([
    ["Docker", CREATE, 400, 'invalid mount config for type "bind": bind source path does not exist: /work'],
    ["Docker Desktop", CREATE, 400, "Mounts denied: The path /work is not shared from the host"],
    ["podman", CREATE, 500, "statfs /work: no such file or directory"],
  ])(
    "says that an engine does not see this machine's files, in %s's words",
    async (_engine, at, status, message) => {
      recorded.answer(at, { status, body: { message } });
      await expect(begin()).rejects.toMatchObject({
        type: "EngineRefused",
        message: expect.stringContaining("does not see this machine's files") as unknown,
      });
    },
  );
});
