import { join } from "node:path";
import { Home } from "./support/home.js";
import { makeProject } from "./support/project.js";
import type { Row, Section } from "./support/table.js";

const STEPS = 20;

/** Many migrations at once on one machine: throughput, memory, and whether some starve. */
export async function benchManyMigrations(): Promise<Section> {
  const home = await Home.make();
  const rows: Row[] = [];
  try {
    await home.run("up");
    for (const count of [1, 20, 100]) {
      const projects: string[] = [];
      for (let i = 0; i < count; i++) {
        projects.push(await makeProject(join(home.directory, `project-${count}-${i}`), STEPS));
      }
      const begun = performance.now();
      const ids: string[] = [];
      for (const project of projects) ids.push(await home.start(project));
      const started = performance.now();
      const ends = await Promise.all(ids.map((id) => ended(home, id, started)));
      const seconds = (performance.now() - begun) / 1000;
      rows.push(
        {
          name: `${count} migrations of ${STEPS} steps`,
          value: (count * STEPS) / seconds,
          unit: "per s",
          note: "steps",
        },
        { name: `${count}: slowest over fastest`, value: Math.max(...ends) / Math.min(...ends), unit: "×" },
        {
          name: `${count}: worker, resident`,
          value: await home.residentMegabytes("worker"),
          unit: "MB",
          target: 300,
        },
        { name: `${count}: server, resident`, value: await home.residentMegabytes("server"), unit: "MB" },
      );
    }
  } finally {
    await home.remove();
  }
  return { title: "Many migrations at once", rows };
}

async function ended(home: Home, id: string, since: number): Promise<number> {
  await home.run("watch", id, "--json");
  return performance.now() - since;
}
