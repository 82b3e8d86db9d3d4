import { join } from "node:path";
import { Home } from "./support/home.js";
import { makeProject } from "./support/project.js";
import type { Section } from "./support/table.js";
import { firstProcess } from "./support/first-process.js";

/** From a command to work being done: cold and warm. */
export async function benchStart(): Promise<Section> {
  const home = await Home.make();
  try {
    const cold = performance.now();
    await home.run("up");
    const upCold = performance.now() - cold;
    const warm = performance.now();
    await home.run("up");
    const upWarm = performance.now() - warm;
    const project = await makeProject(join(home.directory, "project"), 1);
    const firstMs = await firstProcess(home, project);
    return {
      title: "Starting",
      rows: [
        {
          name: "towpath up, nothing running",
          value: upCold,
          unit: "ms",
          note: "server, worker, both healthy",
        },
        { name: "towpath up, all running", value: upWarm, unit: "ms" },
        { name: "towpath start to the first step's process, warm", value: firstMs, unit: "ms" },
        { name: "worker, resident", value: await home.residentMegabytes("worker"), unit: "MB", target: 300 },
        { name: "server, resident", value: await home.residentMegabytes("server"), unit: "MB" },
      ],
    };
  } finally {
    await home.remove();
  }
}
