import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Engine } from "../../../src/adapters/docker/engine.js";
import { findContainers, reapContainers } from "../../../src/adapters/docker/reap.js";
import { type ContainerIdentity, labelsOf } from "../../../src/model/containers/labels.js";
import type { ReapedContainer } from "../../../src/model/containers/reaping.js";
import { recordedEngine, type RecordedEngine } from "../../support/recorded-engine.js";

const IMAGE = `sha256:${"a".repeat(64)}`;
const IDENTITY: ContainerIdentity = {
  kind: "step",
  namespace: "default",
  workflowId: "mig_20260101_000000_left",
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

let recorded: RecordedEngine;
let engine: Engine;

beforeEach(async () => {
  recorded = await recordedEngine();
  engine = await Engine.of(recorded.env);
  inImage({});
});
afterEach(() => recorded.close());

function inImage(labels: Record<string, string>): void {
  recorded.answer(`GET /images/${IMAGE}/json`, {
    status: 200,
    body: { Id: IMAGE, Config: { Labels: labels } },
  });
}

function listed(...ids: readonly string[]): void {
  const containers = ids.map((id) => ({
    Id: id,
    Names: [`/towpath-${id}`],
    ImageID: IMAGE,
    State: "running",
    Labels: labelsOf(IDENTITY),
    Created: 5,
  }));
  recorded.answer("GET /containers/json", { status: 200, body: containers });
}

const EVER = "2026-01-01T00:00:00Z";
const NEVER = "0001-01-01T00:00:00Z";

/** What the engine says of a container from now on; null: that there is none. */
function is(id: string, state: Record<string, unknown> | null): void {
  const State = { Running: false, ExitCode: 0, StartedAt: EVER, FinishedAt: EVER, ...state };
  const Config = { Image: "tools", Labels: labelsOf(IDENTITY), Env: ["PATH=/bin", "DEPLOY_KEY=canary-77"] };
  recorded.answer(
    `GET /containers/${id}/json`,
    state === null
      ? { status: 404, body: { message: `No such container: ${id}` } }
      : { status: 200, body: { Id: id, Name: `/towpath-${id}`, Config, State } },
  );
}

/** An answer, and what is so behind it. */
function on(request: string, status: number, message: string, then: () => void = () => {}): void {
  recorded.answer(request, {
    act: (_request, response) => {
      then();
      response.writeHead(status, { "content-type": "application/json" });
      response.end(status === 204 || status === 304 ? "" : JSON.stringify({ message }));
    },
  });
}

function says(id: string, text: string): void {
  const payload = Buffer.from(text);
  const header = Buffer.from([1, 0, 0, 0, 0, 0, 0, payload.length]);
  recorded.answer(`GET /containers/${id}/logs`, {
    act: (_request, response) => response.end(Buffer.concat([header, payload])),
  });
}

async function reap(): Promise<ReapedContainer[]> {
  return reapContainers(engine, { select: () => true, graceSeconds: 1 });
}

function askedFor(path: string): string[] {
  return recorded.asked.filter((request) => request.includes(path));
}

describe("reapContainers", () => {
  it("keeps exit code and last words of what had ended, without its secrets, and never uses force", async () => {
    listed("c1");
    is("c1", { Status: "exited", ExitCode: 5 });
    on("POST /containers/c1/stop", 304, "");
    says("c1", "the last words, and canary-77\n");
    on("DELETE /containers/c1", 204, "", () => is("c1", null));
    expect(await reap()).toMatchObject([
      { id: "c1", result: "stopped", exitCode: 5, tail: "the last words, and ***\n", problem: null },
    ]);
    expect(askedFor("DELETE")).toEqual(["DELETE /containers/c1?v=true"]);
  });

  it.each(["created", "dead"])("removes one that is %s and never ran", async (Status) => {
    listed("c1");
    is("c1", { Status, StartedAt: NEVER });
    on("POST /containers/c1/stop", 304, "");
    on("DELETE /containers/c1", 204, "", () => is("c1", null));
    expect(await reap()).toMatchObject([{ result: "stopped", exitCode: null, tail: "" }]);
  });

  it("lets a paused one go on first, as it hears no signal otherwise", async () => {
    listed("c1");
    is("c1", { Status: "paused", Running: true });
    on("POST /containers/c1/unpause", 204, "");
    on("POST /containers/c1/stop", 204, "", () => is("c1", { Status: "exited", ExitCode: 143 }));
    says("c1", "");
    on("DELETE /containers/c1", 204, "", () => is("c1", null));
    expect(await reap()).toMatchObject([{ result: "stopped", exitCode: 143 }]);
    const calls = recorded.asked.filter((request) => request.startsWith("POST"));
    expect(calls).toEqual(["POST /containers/c1/unpause", "POST /containers/c1/stop?t=1"]);
  });

  it("tells what had to be killed", async () => {
    listed("c1");
    is("c1", { Status: "running", Running: true });
    on("POST /containers/c1/stop", 204, "", () => is("c1", { Status: "exited", ExitCode: 137 }));
    says("c1", "");
    on("DELETE /containers/c1", 204, "", () => is("c1", null));
    expect(await reap()).toMatchObject([{ result: "killed", exitCode: 137 }]);
  });

  it("takes for gone what somebody else removes, before it is asked, stopped or removed", async () => {
    listed("c1", "c2", "c3");
    is("c1", null);
    is("c2", { Status: "running", Running: true });
    on("POST /containers/c2/stop", 404, "No such container: c2", () => is("c2", null));
    is("c3", { Status: "exited", StartedAt: NEVER });
    on("POST /containers/c3/stop", 304, "");
    on("DELETE /containers/c3", 404, "No such container: c3", () => is("c3", null));
    expect((await reap()).map(({ result }) => result)).toEqual(["already-gone", "already-gone", "stopped"]);
  });

  it("waits for a removal that is in progress", async () => {
    listed("c1");
    is("c1", { Status: "removing", StartedAt: NEVER });
    on("POST /containers/c1/stop", 304, "");
    let asked = 0;
    on("DELETE /containers/c1", 409, "removal of container c1 is already in progress", () => {
      asked += 1;
      if (asked === 3) is("c1", null);
    });
    expect(await reap()).toMatchObject([{ result: "stopped" }]);
    expect(asked).toBe(3);
  });

  it("says what failed, and goes on with the rest", async () => {
    listed("c1", "c2");
    for (const id of ["c1", "c2"]) {
      is(id, { Status: "exited", StartedAt: NEVER });
      on(`POST /containers/${id}/stop`, 304, "");
    }
    on("DELETE /containers/c1", 500, "driver failed to remove root filesystem: device busy");
    on("DELETE /containers/c2", 204, "", () => is("c2", null));
    expect(await reap()).toMatchObject([
      { id: "c1", result: "failed", problem: expect.stringContaining("device busy") as unknown },
      { id: "c2", result: "stopped" },
    ]);
  });

  it("never says that it stopped what it lost sight of", async () => {
    listed("c1");
    is("c1", { Status: "running", Running: true });
    recorded.answer("POST /containers/c1/stop", {
      act: (_request, response) => {
        // The engine dies.
        recorded.answer("GET /containers/c1/json", { act: (_next, answer) => answer.destroy() });
        response.destroy();
      },
    });
    expect(await reap()).toMatchObject([
      { result: "failed", problem: expect.stringContaining("does not answer") as unknown },
    ]);
  });

  it("leaves alone what somebody runs in an image that was made of one of Towpath's containers", async () => {
    listed("c1");
    inImage(labelsOf(IDENTITY));
    expect(await findContainers(engine, () => true)).toEqual([]);
    expect(await reap()).toEqual([]);
    expect(askedFor("DELETE")).toEqual([]);
    // A step of Towpath's in such an image has labels of its own.
    inImage(labelsOf({ ...IDENTITY, createdAt: "2025-01-01T00:00:00.000Z" }));
    expect(await findContainers(engine, () => true)).toHaveLength(1);
  });
});
