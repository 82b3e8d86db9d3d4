import { join } from "node:path";
import type { Client } from "@temporalio/client";
import { afterAll, expect, it } from "vitest";
import { z } from "zod";
import { MigrationStore } from "../../src/adapters/store/migration-store.js";
import { connect } from "../../src/adapters/temporal/connect.js";
import { workerStatus } from "../../src/worker/background.js";
import { describeOnCluster, useCluster } from "../support/cluster/describe.js";
import { cleanUp } from "../support/migrations.js";
import { createRepository } from "../support/repository.js";
import { killed, type Machine, machines } from "../support/worker-processes.js";
import { checkInvariants, checkReplay, type Scene, userSide } from "./invariants.js";
import { FIVE_STEP_FILES, FIVE_STEP_TEXT, FIVE_STEPS } from "./support/fleet.js";
import { lookOn } from "./support/onlooker.js";
import { eventually } from "./support/waiting.js";

/** Far above the minutes that it takes: thirty processes share what the machine has. */
const LIMIT_MS = 1_800_000;
const WAIT_MS = 600_000;
const Started = z.object({ id: z.string() });

interface Running extends Scene {
  readonly id: string;
}

/** A machine with its repository, and migrations of it. */
async function startOn(
  machine: Machine,
  count: number,
  cleanups: (() => Promise<void>)[],
): Promise<Running[]> {
  const { dataDir } = machine.home;
  const runs = async (): Promise<boolean> => (await workerStatus(dataDir))?.report?.status === "running";
  await eventually("its worker", runs, WAIT_MS);
  const files = { ...FIVE_STEP_FILES, "towpath.yaml": FIVE_STEPS };
  const repository = await createRepository(join(dataDir, "..", "project"), files);
  const before = await userSide(repository);
  const running: Running[] = [];
  for (let n = 0; n < count; n += 1) {
    const answer = await machine.run(["start", repository.path, "--allow-host", "--json"]);
    if (answer.code !== 0) throw new Error(`towpath start: ${answer.stdout}${answer.stderr}`);
    const { id } = Started.parse(JSON.parse(answer.stdout));
    const onlooker = lookOn(dataDir, id);
    cleanups.push(() => onlooker.stop());
    running.push({ dataDir, repository, before, id, onlookers: new Map([[id, onlooker]]) });
  }
  return running;
}

/** How far they all are, as their manifests have it; a migration that has none yet has not begun. */
async function completed(running: readonly Running[]): Promise<{ steps: number; migrations: number }> {
  const manifests = await Promise.all(
    running.map(({ dataDir, id }) => new MigrationStore({ dataDir }).readManifest(id).catch(() => null)),
  );
  const steps = manifests.flatMap((manifest) => Object.values(manifest?.steps ?? {}));
  return {
    steps: steps.filter(({ status }) => status === "completed").length,
    migrations: manifests.filter((manifest) => manifest?.status === "completed").length,
  };
}

describeOnCluster("ten migrations on three hosts of a cluster", () => {
  const cleanups: (() => Promise<void>)[] = [];
  const cluster = useCluster();
  afterAll(() => cleanUp(cleanups));

  it(
    "lose nothing and do nothing twice when PostgreSQL, the server and a worker die in the middle of them",
    async () => {
      const hosts = await machines(3, cleanups, cluster());
      const [victim] = hosts;
      if (victim === undefined) throw new Error("no host was started");
      const all = (
        await Promise.all(hosts.map((host, index) => startOn(host, index === 0 ? 4 : 3, cleanups)))
      ).flat();
      expect(all).toHaveLength(10);

      /** Each has the survey and five steps. */
      const faults: readonly (readonly [after: number, () => Promise<void>])[] = [
        [
          8,
          async () => {
            await cluster().killServer();
            await cluster().startServer();
          },
        ],
        [18, () => cluster().restartPostgres()],
        [
          28,
          async () => {
            await killed(victim.worker);
            await cluster().postgres.crash();
            await cluster().killServer();
            await cluster().postgres.resume();
            await cluster().startServer();
            victim.launch();
          },
        ],
        [38, () => cluster().restartPostgres()],
      ];
      for (const [after, strike] of faults) {
        const reached = async (): Promise<boolean> => (await completed(all)).steps >= after;
        await eventually(`${after} steps of all`, reached, WAIT_MS);
        expect((await completed(all)).migrations).toBeLessThan(10);
        await strike();
      }
      const done = async (): Promise<boolean> => (await completed(all)).migrations === 10;
      await eventually("the end of all", done, WAIT_MS);

      const client = await connect({ address: cluster().address, namespace: "default" });
      cleanups.push(() => client.connection.close());
      // Those of one host share a data directory, in which the last one still gives its lock back when it is read as completed.
      await Promise.all(all.map(({ id }) => client.workflow.getHandle(id).result()));
      for (const running of all) await expectUnharmed(client, running);
    },
    LIMIT_MS,
  );
});

async function expectUnharmed(client: Client, running: Running): Promise<void> {
  const { id, repository } = running;
  const handle = client.workflow.getHandle(id);
  const manifest = await checkInvariants(running, id);
  expect(manifest.status).toBe("completed");
  expect(await repository.git("show", `towpath/${id}:steps.txt`)).toBe(FIVE_STEP_TEXT);
  const { runId } = await handle.describe();
  await checkReplay(client.workflow, id, runId);
}
