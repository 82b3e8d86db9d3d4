import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { WorkflowHandle } from "@temporalio/client";
import { Cluster } from "../test/support/cluster/cluster.js";
import { Home } from "./support/home.js";
import { startMigration } from "./support/migration.js";
import { makeProject } from "./support/project.js";
import type { Row, Section } from "./support/table.js";

const WAITING = 100;
/** Enough more steps for what a step adds to stand out. */
const SHORT = 5;
const LONG = 25;

/** What migrations take on a cluster: what docs/scale.md calculates with. */
export async function benchFootprint(): Promise<Section> {
  const cluster = await Cluster.start({ onProgress: (message) => console.error(message) });
  try {
    const home = await Home.make({ TEMPORAL_ADDRESS: cluster.address });
    try {
      await home.run("up");
      const rows = [...(await ofSteps(home)), ...(await ofWaiting(cluster, home))];
      return { title: "What migrations take on PostgreSQL", rows };
    } finally {
      await home.remove();
    }
  } finally {
    await cluster.remove();
  }
}

interface Taken {
  readonly events: number;
  readonly bytes: number;
  readonly transitions: number;
}

async function ofSteps(home: Home): Promise<Row[]> {
  const short = await completed(home, SHORT);
  const long = await completed(home, LONG);
  const perStep = (of: keyof Taken): number => (long[of] - short[of]) / (LONG - SHORT);
  const rest = (of: keyof Taken): number => short[of] - SHORT * perStep(of);
  return [
    { name: "a step: history", value: perStep("events"), unit: "events" },
    { name: "a step: history, as sent", value: perStep("bytes"), unit: "bytes" },
    { name: "a step: state transitions", value: perStep("transitions"), unit: "×" },
    { name: "a migration without its steps: history", value: rest("events"), unit: "events" },
    { name: "a migration without its steps: history, as sent", value: rest("bytes"), unit: "bytes" },
    { name: "a migration without its steps: state transitions", value: rest("transitions"), unit: "×" },
  ];
}

async function completed(home: Home, steps: number): Promise<Taken> {
  const handle = await startMigration(home, await makeProject(join(home.directory, `${steps}`), steps));
  await handle.result();
  const { historyLength, historySize, raw } = await handle.describe();
  const transitions = Number(raw.workflowExecutionInfo?.stateTransitionCount ?? 0);
  return { events: historyLength, bytes: historySize ?? 0, transitions };
}

/** Hands-on migrations: each waits for a person from its beginning on. */
async function ofWaiting(cluster: Cluster, home: Home): Promise<Row[]> {
  const project = await makeProject(join(home.directory, "waiting"), 1);
  const [memory, database] = [await home.residentMegabytes("worker"), await databaseSize(cluster)];
  const handles = await Promise.all(
    Array.from({ length: WAITING }, () => startMigration(home, project, { spec: null })),
  );
  for (const handle of handles) await untilItWaits(handle);
  const grown = (await home.residentMegabytes("worker")) - memory;
  const stored = (await databaseSize(cluster)) - database;
  for (const handle of handles) await handle.terminate();
  return [
    { name: "a waiting migration: worker's memory", value: (grown / WAITING) * 2 ** 20, unit: "bytes" },
    { name: "a waiting migration: database", value: stored / WAITING, unit: "bytes" },
  ];
}

/** A worker that starts so many at once has no time for some queries. */
async function untilItWaits(handle: WorkflowHandle): Promise<void> {
  for (;;) {
    const view = await handle.query<{ readonly waiting: unknown }>("progress").catch(() => null);
    if (view !== null && view.waiting !== null) return;
    await delay(500);
  }
}

/** Tables and their indexes, after what is written is in them. */
async function databaseSize(cluster: Cluster): Promise<number> {
  const sizes = ["temporal", "temporal_visibility"].map(async (database) => {
    await cluster.postgres.query(database, "checkpoint");
    return Number(await cluster.postgres.query(database, `select pg_database_size('${database}')`));
  });
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}
