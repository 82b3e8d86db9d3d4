import { once } from "node:events";
import { cp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Client } from "@temporalio/client";
import { z } from "zod";
import { connect } from "../../src/adapters/temporal/connect.js";
import type { ProgressView } from "../../src/model/messages.js";
import { makeHome } from "../support/cli.js";
import { cleanUp } from "../support/migrations.js";
import { createRepository, type TestRepository } from "../support/repository.js";
import { killed, listedHosts, type Machine, machines } from "../support/worker-processes.js";

const cleanups: (() => Promise<void>)[] = [];
afterAll(() => cleanUp(cleanups));

const LIMIT = { timeout: 150_000, interval: 500 };

const SPEC = `
version: 1
name: hosts
target: next
phases:
  understand: { steps: [{ id: survey, uses: survey }] }
  guardrail: { features: [{ id: stands, description: it stands, test: "true" }] }
  migrate:
    steps:
      - id: held
        run: |
          echo done >> steps.txt
          echo run >> "$TOWPATH_DIR/../../runs"
          while [ ! -e "$TOWPATH_DIR/../../go" ]; do sleep 0.1; done
        retry: { max-attempts: 1 }
`;

const HostFile = z.object({ hostId: z.string() });
const Started = z.object({ id: z.string() });
const Status = z.object({
  status: z.string(),
  absentHost: z.object({ hostId: z.string(), lastSeen: z.string() }).nullable(),
});

async function hostIdOf({ home }: Machine): Promise<string> {
  return HostFile.parse(JSON.parse(await readFile(join(home.dataDir, "host.json"), "utf8"))).hostId;
}

async function statusBy(asked: Machine, id: string): Promise<z.infer<typeof Status>> {
  const answer = await asked.run(["status", id, "--json"]);
  expect(answer).toMatchObject({ code: 0 });
  return Status.parse(JSON.parse(answer.stdout));
}

async function here(asked: Machine): Promise<string[]> {
  return (await listedHosts(asked)).filter(({ isHere }) => isHere).map(({ hostId }) => hostId);
}

describe("three workers with data directories of their own", () => {
  let fleet: Machine[];
  let first: Machine;
  let second: Machine;
  let third: Machine;
  let client: Client;
  const started: { id: string; hostId: string; repository: TestRepository; machine: Machine }[] = [];

  beforeAll(async () => {
    fleet = await machines(3, cleanups);
    const [one, two, three] = fleet;
    if (one === undefined || two === undefined || three === undefined)
      throw new Error("three were asked for");
    [first, second, third] = [one, two, three];
    const { TEMPORAL_ADDRESS: address = "", TEMPORAL_NAMESPACE: namespace = "" } = one.env;
    client = await connect({ address, namespace });
    cleanups.push(() => client.connection.close());
  }, 300_000);

  it("are listed as three hosts, each with its process, load and migrations", async () => {
    await expect.poll(() => here(first), LIMIT).toHaveLength(3);
    for (const machine of fleet) {
      const path = join(machine.home.dataDir, "..", "project");
      const repository = await createRepository(path, { "steps.txt": "", "towpath.yaml": SPEC });
      const answer = await machine.run(["start", path, "--allow-host", "--json"]);
      expect(answer).toMatchObject({ code: 0 });
      const { id } = Started.parse(JSON.parse(answer.stdout));
      started.push({ id, hostId: await hostIdOf(machine), repository, machine });
    }
    await expect
      .poll(async () => (await listedHosts(second)).map(({ migrations }) => migrations), LIMIT)
      .toEqual([1, 1, 1]);
    const listed = await listedHosts(third);
    for (const { hostId, machine } of started)
      expect(listed).toContainEqual(
        expect.objectContaining({ hostId, isHere: true, record: { pid: machine.worker.pid, slots: 32 } }),
      );
    const { stdout } = await first.run(["hosts"]);
    expect(stdout).toMatch(/HOST +STATE +SEEN +MIGRATIONS +RUNNING +LOAD +FREE +ENGINE +VERSION/);
  });

  it("are told apart in status when one is killed, and its migration goes on when it is back", async () => {
    const [, held] = started;
    if (held === undefined) throw new Error("nothing was started");
    const runs = join(second.home.dataDir, "runs");
    await expect.poll(() => readFile(runs, "utf8").catch(() => ""), LIMIT).toBe("run\n");
    await killed(second.worker);
    await expect
      .poll(async () => (await statusBy(first, held.id)).absentHost?.hostId, LIMIT)
      .toBe(held.hostId);
    const { stdout } = await third.run(["status", held.id]);
    expect(stdout).toContain(`Waits for its host: host ${held.hostId}, last seen `);
    // The migration itself is told as well, for its page and for lists.
    await expect
      .poll(async () => {
        const view: ProgressView = await client.workflow.getHandle(held.id).query("progress");
        return view.absentHost?.hostId;
      }, LIMIT)
      .toBe(held.hostId);
    const waiting = `WorkflowType = "migration" AND TowpathWaitingFor = "host"`;
    await expect
      .poll(async () => {
        const ids: string[] = [];
        for await (const { workflowId } of client.workflow.list({ query: waiting })) ids.push(workflowId);
        return ids;
      }, LIMIT)
      .toEqual([held.id]);

    for (const { home } of fleet) await writeFile(join(home.dataDir, "go"), "");
    second.launch();
    for (const { id } of started)
      await expect.poll(async () => (await statusBy(first, id)).status, LIMIT).toBe("completed");
    expect((await statusBy(first, held.id)).absentHost).toBeNull();
    expect(await here(first)).toHaveLength(3);
  });

  it("do nothing of each other's: files, git and activities stay on the host", async () => {
    for (const { id, hostId, repository, machine } of started) {
      expect(await readdir(join(machine.home.dataDir, "migrations"))).toEqual([id]);
      expect(await repository.git("show", `towpath/${id}:steps.txt`)).toBe("done");
      const { events = [] } = await client.workflow.getHandle(id).fetchHistory();
      const ran = (events ?? []).flatMap(
        ({ activityTaskStartedEventAttributes: task }) => task?.identity ?? [],
      );
      expect(ran.length).toBeGreaterThan(5);
      for (const identity of ran) expect(identity).toMatch(new RegExp(`^\\d+@${hostId}$`));
    }
  });

  it("are refused the id of another one's data directory, whether that one is there or not", async () => {
    const copy = await makeHome("own");
    cleanups.push(() => copy.remove());
    await cp(join(first.home.dataDir, "host.json"), join(copy.dataDir, "host.json"));
    const hostId = await hostIdOf(first);
    const expectRefusal = async (): Promise<void> => {
      const answer = await copy.run(["worker", "--json"], first.env);
      expect(answer.code).toBe(4);
      expect(answer.stdout).toContain(
        `The host id ${hostId} belongs to the data directory ${first.home.dataDir}`,
      );
    };
    await expectRefusal();
    expect((await first.run(["hosts", "--forget", hostId, "--yes"])).code).toBe(4);

    const gone = once(first.worker, "exit");
    first.worker.kill("SIGTERM");
    await gone;
    await expect.poll(() => here(second), LIMIT).toHaveLength(2);
    await expectRefusal();

    expect(await second.run(["hosts", "--forget", hostId, "--yes"])).toMatchObject({ code: 0 });
    await rm(first.home.dataDir, { recursive: true });
    const moved = copy.spawn(["worker"], first.env);
    moved.stdout?.resume();
    cleanups.push(() => killed(moved));
    await expect.poll(() => here(second), LIMIT).toContain(hostId);
  });
});
