import { createServer, type Server } from "node:net";
import { mkdtemp, readFile, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { connect } from "../../../src/adapters/temporal/connect.js";
import {
  downEmbedded,
  embeddedEndpoint,
  embeddedStatus,
  ensureEmbedded,
  type EmbeddedServer,
} from "../../../src/adapters/temporal/embedded.js";
import { EmbeddedState, rememberPorts, serverPaths } from "../../../src/adapters/temporal/embedded-state.js";
import { identify, isRunning } from "../../../src/adapters/temporal/identity.js";
import { until } from "../../../src/adapters/temporal/detached.js";
import { anyFreePort } from "../../../src/adapters/temporal/ports.js";

let dataDir: string;
const occupants: Server[] = [];
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "towpath-embedded-"));
  // Ports of one's own: what else runs on this machine must not decide what these tests see.
  const grpc = await anyFreePort();
  await rememberPorts(dataDir, { grpc, ui: await anyFreePort() });
});
afterEach(async () => {
  for (const server of occupants.splice(0)) server.close();
  const { state } = await embeddedStatus(dataDir);
  if (state !== null && isRunning(state)) await killHard(state);
  await rm(dataDir, { recursive: true, maxRetries: 5 });
});

const up = (): Promise<EmbeddedServer> => ensureEmbedded({ dataDir, env: process.env });

function portIn(address: string): number {
  return Number(address.split(":").at(-1));
}

async function recorded(): Promise<EmbeddedState> {
  return EmbeddedState.parse(JSON.parse(await readFile(serverPaths(dataDir).state, "utf8")));
}

async function killHard(server: EmbeddedState): Promise<void> {
  process.kill(server.pid, "SIGKILL");
  await until(() => !isRunning(server), 5_000, 10);
}

function occupy(address: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    occupants.push(server);
    server.once("error", reject);
    server.listen(Number(address.split(":")[1]), "127.0.0.1", resolve);
  });
}

async function startWaitingWorkflow(server: EmbeddedServer, workflowId: string): Promise<void> {
  const client = await connect(embeddedEndpoint(server));
  await client.workflow.start("never-run", { workflowId, taskQueue: "nobody" });
  await client.connection.close();
}

async function statusOf(server: EmbeddedServer, workflowId: string): Promise<string> {
  const client = await connect(embeddedEndpoint(server));
  const { status } = await client.workflow.getHandle(workflowId).describe();
  await client.connection.close();
  return status.name;
}

describe("the embedded server", () => {
  it("is one, however often it is asked for, and its state is for the owner's eyes", async () => {
    const first = await up();
    const second = await up();
    expect([first.reused, second.reused]).toEqual([false, true]);
    expect(second.pid).toBe(first.pid);
    expect((await stat(serverPaths(dataDir).state)).mode & 0o777).toBe(0o600);
    expect((await stat(serverPaths(dataDir).directory)).mode & 0o777).toBe(0o700);
    expect((await fetch(first.uiAddress)).status).toBe(200);
  });

  it("is one for many that ask at the same time", async () => {
    const all = await Promise.all(Array.from({ length: 5 }, up));
    expect(new Set(all.map((server) => server.pid)).size).toBe(1);
    expect(all.filter((server) => !server.reused)).toHaveLength(1);
  });

  it("comes back after kill -9 with everything that it held, on the same ports", async () => {
    const before = await up();
    await startWaitingWorkflow(before, "survivor");
    await killHard(before);
    expect((await embeddedStatus(dataDir)).problem).toMatch(/does not run/);
    const after = await up();
    expect(after.pid).not.toBe(before.pid);
    expect([after.address, after.uiAddress]).toEqual([before.address, before.uiAddress]);
    expect(await statusOf(after, "survivor")).toBe("RUNNING");
  });

  it("keeps data and ports over down and up", async () => {
    const before = await up();
    await startWaitingWorkflow(before, "survivor");
    expect((await downEmbedded(dataDir))?.pid).toBe(before.pid);
    const after = await up();
    expect(after.address).toBe(before.address);
    expect(await statusOf(after, "survivor")).toBe("RUNNING");
  });

  it("takes the next ports where its own are taken", async () => {
    const before = await up();
    await downEmbedded(dataDir);
    await occupy(before.address);
    await occupy(before.uiAddress.slice("http://".length));
    const after = await up();
    expect(Number(after.address.split(":")[1])).toBeGreaterThan(Number(before.address.split(":")[1]));
    expect(after.uiAddress).not.toBe(before.uiAddress);
    expect((await embeddedStatus(dataDir)).problem).toBeNull();
  });

  it("starts fresh beside a record whose pid another process has now, and leaves that process alone", async () => {
    const server = await up();
    await killHard(server);
    const self = identify(process.pid);
    // This very test's pid under the start time of the dead server: what a reused pid looks like.
    await writeFile(serverPaths(dataDir).state, JSON.stringify({ ...(await recorded()), pid: process.pid }));
    const fresh = await up();
    expect(fresh.reused).toBe(false);
    expect(self !== null && isRunning(self)).toBe(true);
  });

  it("starts fresh beside an unreadable record", async () => {
    await writeFile(serverPaths(dataDir).state, "not json");
    expect((await up()).reused).toBe(false);
  });

  it.each(["", "{", "{}", '{"pid":-1}', '{"pid":1,"startTime":"1","address":"example.org:7233"}'])(
    "counts a record %j as none",
    async (text) => {
      await writeFile(serverPaths(dataDir).state, text);
      expect((await embeddedStatus(dataDir)).state).toBeNull();
    },
  );

  it("is not another data directory's server that answers on the recorded port", async () => {
    const mine = await up();
    await killHard(mine);
    const other = await mkdtemp(join(tmpdir(), "towpath-other-"));
    try {
      await rememberPorts(other, { grpc: portIn(mine.address), ui: portIn(mine.uiAddress) });
      const theirs = await ensureEmbedded({ dataDir: other, env: process.env });
      expect(theirs.address).toBe(mine.address);
      const again = await up();
      expect(again.reused).toBe(false);
      expect(again.address).not.toBe(theirs.address);
    } finally {
      await downEmbedded(other);
      await rm(other, { recursive: true, maxRetries: 5 });
    }
  });

  it("is replaced when it hangs", async () => {
    const hung = await up();
    process.kill(hung.pid, "SIGSTOP");
    const fresh = await ensureEmbedded({ dataDir, env: process.env, recoveryMs: 100 });
    expect(fresh.pid).not.toBe(hung.pid);
    expect(isRunning(hung)).toBe(false);
  });

  it("says in the error what the server said when it does not start", async () => {
    const fake = join(dataDir, "temporal");
    const script = `#!/bin/sh\n[ "$1" = --version ] && echo "temporal version 1 (Server 1.29.1)" && exit 0\necho "disk on fire" >&2; exit 7\n`;
    await writeFile(fake, script, { mode: 0o755 });
    await expect(
      ensureEmbedded({ dataDir, env: { ...process.env, TOWPATH_TEMPORAL_CLI: fake } }),
    ).rejects.toMatchObject({
      type: "TemporalUnavailable",
      message: expect.stringMatching(/exit code 7: disk on fire/),
    });
    expect(await readdir(serverPaths(dataDir).directory)).not.toContain("state.json");
  });
});

describe("down", () => {
  it("leaves no process and no record behind, and is nothing the second time", async () => {
    const server = await up();
    expect((await downEmbedded(dataDir))?.pid).toBe(server.pid);
    expect(isRunning(server)).toBe(false);
    expect(await embeddedStatus(dataDir)).toMatchObject({ state: null });
    expect(await downEmbedded(dataDir)).toBeNull();
  });

  it("ends no process that merely has the recorded pid", async () => {
    const state = { pid: process.pid, startTime: "another time", address: "127.0.0.1:1", binary: "x" };
    const more = { uiAddress: "http://127.0.0.1:2", startedAt: "" };
    await writeFile(serverPaths(dataDir).state, JSON.stringify({ ...state, ...more }));
    expect(await downEmbedded(dataDir)).toBeNull();
    expect(await embeddedStatus(dataDir)).toMatchObject({ state: null });
  });
});
