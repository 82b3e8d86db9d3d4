import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { downEmbedded, ensureEmbedded } from "../src/adapters/temporal/embedded.js";
import { Cluster } from "../test/support/cluster/cluster.js";
import { Home } from "./support/home.js";
import { startMigration } from "./support/migration.js";
import { makeProject } from "./support/project.js";
import type { Row, Section } from "./support/table.js";

const MIGRATIONS = 12;
const STEPS = 5;
const WORKERS = [1, 2, 3];

interface Server {
  readonly name: string;
  readonly address: string;
  remove(): Promise<void>;
}

/** Migrations a minute with one, two and three hosts, each with its own data directory, on either kind of server. */
export async function benchThroughput(): Promise<Section> {
  const rows: Row[] = [];
  for (const start of [embedded, onPostgres]) {
    const server = await start();
    try {
      for (const workers of WORKERS) rows.push(await measured(server, workers));
    } finally {
      await server.remove();
    }
  }
  return { title: `Migrations of ${STEPS} steps, ${MIGRATIONS} at once`, rows };
}

async function embedded(): Promise<Server> {
  const dataDir = await mkdtemp(join(tmpdir(), "towpath-bench-server-"));
  const { address } = await ensureEmbedded({ dataDir, env: process.env });
  return {
    name: "embedded",
    address,
    remove: async () => {
      await downEmbedded(dataDir);
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

async function onPostgres(): Promise<Server> {
  const cluster = await Cluster.start({ onProgress: (message) => console.error(message) });
  return { name: "PostgreSQL", address: cluster.address, remove: () => cluster.remove() };
}

async function measured({ name, address }: Server, workers: number): Promise<Row> {
  const homes = await Promise.all(
    Array.from({ length: workers }, () => Home.make({ TEMPORAL_ADDRESS: address })),
  );
  try {
    for (const home of homes) await home.run("up");
    // What is compiled and cached with the first migration of a worker is not what is measured.
    await completedBy(homes, workers);
    const tookMs = await completedBy(homes, MIGRATIONS);
    const value = MIGRATIONS / (tookMs / 60_000);
    const what = workers === 1 ? "1 worker" : `${workers} workers`;
    return { name: `${name}, ${what}`, value, unit: "per min" };
  } finally {
    for (const home of homes) await home.remove();
  }
}

/** @returns how long it took until all of them were completed, in ms */
async function completedBy(homes: readonly Home[], count: number): Promise<number> {
  const projects: { home: Home; project: string }[] = [];
  for (let n = 0; n < count; n += 1) {
    const home = homes[n % homes.length];
    if (home === undefined) throw new Error("there are no homes");
    projects.push({ home, project: await makeProject(join(home.directory, `project-${count}-${n}`), STEPS) });
  }
  const begun = performance.now();
  await Promise.all(
    projects.map(async ({ home, project }) => (await startMigration(home, project)).result()),
  );
  return performance.now() - begun;
}
