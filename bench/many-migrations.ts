import { join } from "node:path";
import { Home } from "./support/home.js";
import { startMigration } from "./support/migration.js";
import { makeProject } from "./support/project.js";
import type { Row, Section } from "./support/table.js";

const STEPS = 20;
const LOOK_MS = 250;

/** Many migrations at once on one machine: throughput, memory, and whether some starve. */
export async function benchManyMigrations(): Promise<Section> {
  const home = await Home.make();
  const rows: Row[] = [];
  try {
    await home.run("up");
    for (const count of [1, 20, 100]) rows.push(...(await atOnce(home, count)));
  } finally {
    await home.remove();
  }
  return { title: `Migrations of ${STEPS} steps at once`, rows };
}

async function atOnce(home: Home, count: number): Promise<Row[]> {
  const projects: string[] = [];
  for (let i = 0; i < count; i++) {
    projects.push(await makeProject(join(home.directory, `project-${count}-${i}`), STEPS));
  }
  const begun = performance.now();
  const memory = await watchMemory(home);
  const times = await Promise.all(projects.map((project) => completed(home, project, begun)));
  const { worker, server } = await memory.stop();
  const perSecond = (count * STEPS) / (Math.max(...times) / 1000);
  return [
    { name: `${count}: steps`, value: perSecond, unit: "per s" },
    // All were started at once, so they should end at nearly the same time.
    { name: `${count}: last end over first`, value: Math.max(...times) / Math.min(...times), unit: "×" },
    { name: `${count}: worker, most resident`, value: worker, unit: "MB", target: 300 },
    { name: `${count}: server, most resident`, value: server, unit: "MB" },
  ];
}

async function completed(home: Home, project: string, since: number): Promise<number> {
  const handle = await startMigration(home, project);
  await handle.result();
  return performance.now() - since;
}

/** Looks at the memory of worker and server until it is stopped; answers the most that was seen, in MB. */
async function watchMemory(home: Home) {
  const most = { worker: 0, server: 0 };
  const look = async (): Promise<void> => {
    for (const role of ["worker", "server"] as const) {
      most[role] = Math.max(most[role], await home.residentMegabytes(role));
    }
  };
  let looking = look();
  const timer = setInterval(() => void (looking = looking.then(look)), LOOK_MS);
  await looking;
  return {
    stop: async (): Promise<typeof most> => {
      clearInterval(timer);
      await looking;
      return most;
    },
  };
}
