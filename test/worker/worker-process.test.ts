import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { ActivityFailure, ApplicationFailure } from "@temporalio/common";
import type { Client } from "@temporalio/client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { connect } from "../../src/adapters/temporal/connect.js";
import { until } from "../../src/adapters/temporal/detached.js";
import { embeddedEndpoint, embeddedStatus, ensureEmbedded } from "../../src/adapters/temporal/embedded.js";
import { rememberPorts } from "../../src/adapters/temporal/embedded-state.js";
import { isRunning } from "../../src/adapters/temporal/identity.js";
import { anyFreePort } from "../../src/adapters/temporal/ports.js";
import { workerStatus, type WorkerInfo } from "../../src/worker/background.js";
import { workerPaths } from "../../src/worker/registration.js";
import type { HealthReport } from "../../src/worker/health-report.js";
import { makeHome, type Home } from "../support/cli.js";

let home: Home;
beforeAll(async () => {
  home = await makeHome();
  await rememberPorts(home.dataDir, { grpc: await anyFreePort(), ui: await anyFreePort() });
});
afterAll(() => home.remove());

async function up(env: Record<string, string> = {}): Promise<WorkerInfo & { report: HealthReport }> {
  const answer = await home.run(["up", "--json"], env);
  expect(answer).toMatchObject({ code: 0 });
  const worker = await workerStatus(home.dataDir);
  if (!worker?.report) throw new Error(`no healthy worker: ${answer.stdout}`);
  return { ...worker, report: worker.report };
}

/** The running worker, started where none runs. */
async function running(): Promise<WorkerInfo & { report: HealthReport }> {
  const worker = await workerStatus(home.dataDir);
  return worker?.report?.status === "running" ? { ...worker, report: worker.report } : up();
}

async function withClient<T>(body: (client: Client) => Promise<T>): Promise<T> {
  const { state } = await embeddedStatus(home.dataDir);
  if (state === null) throw new Error("no server");
  const client = await connect(embeddedEndpoint(state));
  try {
    return await body(client);
  } finally {
    await client.connection.close();
  }
}

let runs = 0;
function start(client: Client, worker: { report: HealthReport }, activity: string, argument: unknown) {
  const input = { queue: worker.report.queues.host, activity, argument };
  return client.workflow.start("one", {
    workflowId: `run-${(runs += 1)}`,
    taskQueue: worker.report.queues.workflow,
    args: [input],
  });
}

async function activityStarted(client: Client, workflowId: string): Promise<boolean> {
  const { raw } = await client.workflow.getHandle(workflowId).describe();
  return (raw.pendingActivities ?? []).some((activity) => Boolean(activity.lastStartedTime));
}

async function logLines(): Promise<Record<string, unknown>[]> {
  const text = await readFile(workerPaths(home.dataDir).log, "utf8");
  return text
    .trim()
    .split("\n")
    .map((line): Record<string, unknown> => JSON.parse(line));
}

async function health(address: string): Promise<{ code: number; report: HealthReport }> {
  const response = await fetch(`http://${address}/healthz`);
  const report: HealthReport = JSON.parse(await response.text());
  return { code: response.status, report };
}

describe("the background worker", () => {
  it("tells on /healthz what it is, and nothing elsewhere", async () => {
    const worker = await up();
    const { code, report } = await health(worker.healthAddress);
    expect(code).toBe(200);
    expect(report).toMatchObject({
      status: "running",
      problem: null,
      workers: { workflow: "RUNNING", host: "RUNNING" },
      queues: { workflow: "towpath", host: `towpath-host-${report.hostId}` },
      versions: { node: process.version },
    });
    expect((await fetch(`http://${worker.healthAddress}/`)).status).toBe(404);
    expect(worker.healthAddress).toMatch(/^127\.0\.0\.1:/);
  });

  it("runs workflows on the one queue and activities on the host's", async () => {
    const worker = await running();
    await withClient(async (client) => {
      expect(await (await start(client, worker, "greet", "you")).result()).toBe("hello you");
    });
  });

  it("serves Prometheus metrics", async () => {
    const worker = await running();
    const text = await (await fetch(`http://${worker.report.metricsAddress}/metrics`)).text();
    expect(text).toMatch(/^temporal_worker_task_slots_available\{.*task_queue="towpath"/m);
    expect(text).toContain(`task_queue="${worker.report.queues.host}"`);
  });

  it("writes every log line as JSON", async () => {
    await running();
    const lines = await logLines();
    expect(lines.length).toBeGreaterThan(1);
    for (const line of lines)
      expect(line).toMatchObject({ level: expect.any(String), message: expect.any(String) });
  });

  it("fails an activity with the type, and without retries where they cannot help", async () => {
    const worker = await running();
    await withClient(async (client) => {
      const failure: unknown = await (
        await start(client, worker, "refuse", null)
      )
        .result()
        .catch((e: unknown) => e);
      const activityFailure: unknown = failure instanceof Error ? failure.cause : null;
      expect(activityFailure).toBeInstanceOf(ActivityFailure);
      const cause: unknown = activityFailure instanceof Error ? activityFailure.cause : null;
      expect(cause).toBeInstanceOf(ApplicationFailure);
      expect(cause).toMatchObject({
        type: "WrongStatus",
        nonRetryable: true,
        message: "It is over; start another.",
        details: [{ status: "stopped" }],
      });
    });
  });

  it("is one, and reused", async () => {
    const [first, second] = [await up(), await up()];
    expect(second.pid).toBe(first.pid);
  });

  it("outlives the server's death, and goes on with it", async () => {
    const before = await up();
    await withClient(async (client) => {
      await client.workflow.start("waiting", { workflowId: "patient", taskQueue: "towpath" });
    });
    const { state } = await embeddedStatus(home.dataDir);
    if (state === null) throw new Error("no server");
    process.kill(state.pid, "SIGKILL");
    await until(() => !isRunning(state), 5_000, 10);
    const after = await up();
    expect(after.pid).toBe(before.pid);
    await withClient(async (client) => {
      const handle = client.workflow.getHandle("patient");
      await handle.signal("go");
      expect(await handle.result()).toBe("released");
    });
  });

  it("takes a bounded heap, unless somebody says how large it may be", async () => {
    const heapOf = async (env: Record<string, string>): Promise<string> => {
      await home.run(["down"]);
      const { pid } = await up(env);
      return readFile(`/proc/${pid}/cmdline`, "utf8");
    };
    expect(await heapOf({})).toContain("--max-old-space-size=1024");
    expect(await heapOf({ NODE_OPTIONS: "--max_old_space_size=3000" })).not.toContain("space-size");
    await home.run(["down"]);
  });

  it("is started again after kill -9", async () => {
    const before = await up();
    process.kill(before.pid, "SIGKILL");
    await until(() => !isRunning(before), 5_000, 10);
    const after = await up();
    expect(after.pid).not.toBe(before.pid);
    expect(after.report.hostId).toBe(before.report.hostId);
  });

  it("is replaced when it talks to another Temporal", async () => {
    const before = await up();
    const { state } = await embeddedStatus(home.dataDir);
    const elsewhere = { TEMPORAL_ADDRESS: state?.address.replace("127.0.0.1", "localhost") ?? "" };
    const after = await up(elsewhere);
    expect(after.pid).not.toBe(before.pid);
    expect(isRunning(before)).toBe(false);
    expect(after.report.temporal.address).toBe(elsewhere.TEMPORAL_ADDRESS);
  });

  it("lets running work end before it goes down", async () => {
    const worker = await up();
    await withClient(async (client) => {
      const handle = await start(client, worker, "work", 2_000);
      await until(() => activityStarted(client, handle.workflowId), 5_000, 20);
      const down = home.run(["down", "--json"]);
      await until(async () => (await health(worker.healthAddress)).code === 503, 5_000, 20);
      expect((await health(worker.healthAddress)).report.status).toBe("draining");
      expect(JSON.parse((await down).stdout)).toMatchObject({ worker: worker.pid });
      expect(isRunning(worker)).toBe(false);
    });
    const again = await up();
    await withClient(async (client) => {
      const history = await client.workflow.getHandle(`run-${runs}`).fetchHistory();
      const started = history.events?.filter((event) => Boolean(event.activityTaskStartedEventAttributes));
      expect(started).toHaveLength(1);
      expect(started?.[0]?.activityTaskStartedEventAttributes?.identity).toContain(`${worker.pid}@`);
      expect(again.pid).not.toBe(worker.pid);
    });
  });
});

async function registered(child: ChildProcess, foreground: Home): Promise<WorkerInfo> {
  const found: { worker: WorkerInfo | null } = { worker: null };
  await until(
    async () => {
      found.worker = await workerStatus(foreground.dataDir);
      return found.worker?.pid === child.pid && Boolean(found.worker?.report);
    },
    15_000,
    20,
  );
  if (found.worker === null) throw new Error("the worker did not register");
  return found.worker;
}

describe("a worker in the foreground", () => {
  it("waits for Temporal, runs when it comes, and is the only one", async () => {
    const foreground = await makeHome();
    const port = await anyFreePort();
    const child = foreground.spawn(["worker"], { TEMPORAL_ADDRESS: `127.0.0.1:${port}` });
    const output: string[] = [];
    child.stdout?.setEncoding("utf8").on("data", (chunk: string) => output.push(chunk));
    try {
      const worker = await registered(child, foreground);
      expect((await health(worker.healthAddress)).code).toBe(503);
      const second = await foreground.run(["worker", "--json"], { TEMPORAL_ADDRESS: `127.0.0.1:${port}` });
      expect(second.code).toBe(4);
      expect(JSON.parse(second.stdout)).toMatchObject({ error: { type: "WrongStatus" } });

      await rememberPorts(foreground.dataDir, { grpc: port, ui: await anyFreePort() });
      const server = await ensureEmbedded({ dataDir: foreground.dataDir, env: process.env });
      expect(server.address).toBe(`127.0.0.1:${port}`);
      await until(async () => (await health(worker.healthAddress)).code === 200, 15_000, 20);
      expect((await health(worker.healthAddress)).report).toMatchObject({ status: "running", problem: null });

      child.kill("SIGTERM");
      const [code] = await once(child, "exit");
      expect(code).toBe(0);
      for (const line of output.join("").trim().split("\n")) expect(() => JSON.parse(line)).not.toThrow();
    } finally {
      child.kill("SIGKILL");
      await foreground.remove();
    }
  });

  it("is what `up` finds, or gives way to, when both are started at once", async () => {
    const background = await running();
    process.kill(background.pid, "SIGKILL");
    expect(await until(async () => (await workerStatus(home.dataDir)) === null, 60_000, 20)).toBe(true);
    const child = home.spawn(["worker"]);
    try {
      const { pid } = await up();
      expect((await workerStatus(home.dataDir))?.pid).toBe(pid);
      if (child.pid !== pid && child.exitCode === null) await once(child, "exit");
      expect(child.exitCode).toBe(child.pid === pid ? null : 4);
    } finally {
      child.kill("SIGTERM");
      if (child.exitCode === null) await once(child, "exit");
    }
  });

  it("ends in order though Temporal never came", async () => {
    await home.run(["down"]);
    const child = home.spawn(["worker"], { TEMPORAL_ADDRESS: `127.0.0.1:${await anyFreePort()}` });
    await registered(child, home);
    child.kill("SIGTERM");
    const [code] = await once(child, "exit");
    expect(code).toBe(0);
    expect(await workerStatus(home.dataDir)).toBeNull();
  });

  it("ends at once on the second signal", async () => {
    await home.run(["down"]);
    const child = home.spawn(["worker"]);
    try {
      const worker = await registered(child, home);
      await until(async () => (await health(worker.healthAddress)).code === 200, 15_000, 20);
      const { report } = await health(worker.healthAddress);
      await withClient(async (client) => {
        const handle = await start(client, { report }, "stubborn", 30_000);
        await until(() => activityStarted(client, handle.workflowId), 5_000, 20);
        child.kill("SIGINT");
        await until(async () => (await health(worker.healthAddress)).code === 503, 5_000, 20);
        child.kill("SIGINT");
        const [code] = await once(child, "exit");
        expect(code).toBe(130);
        await handle.terminate();
      });
    } finally {
      child.kill("SIGKILL");
    }
  });
});
