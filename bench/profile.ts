import { join } from "node:path";
import { childrenOf, cpuTime } from "./support/process-usage.js";
import { Home } from "./support/home.js";
import { stepTimes } from "./support/history.js";
import { makeProject } from "./support/project.js";
import type { Row, Section } from "./support/table.js";
import { shellLoop } from "./steps.js";

const STEPS = 200;

/** Where the time of a full step goes, as CPU time: unlike elapsed time it is not that of others on the machine. */
export async function benchProfile(): Promise<Section> {
  const home = await Home.make();
  try {
    await home.run("up");
    await home.complete(await makeProject(join(home.directory, "warm"), 3));
    const project = await makeProject(join(home.directory, "project"), STEPS);
    const before = await used(home);
    const towpath = await stepTimes(home, await home.complete(project));
    const after = await used(home);
    const shell = await shellLoop(home, STEPS);
    const rows = Object.entries(after).map(([name, ms]): Row => {
      return { name, value: (ms - (before[name] ?? 0)) / STEPS, unit: "ms", note: "CPU a step" };
    });
    return {
      title: `Where a full step's time goes, ${STEPS} steps`,
      rows: [
        ...rows,
        { name: "elapsed", value: towpath.totalMs / STEPS, unit: "ms", note: "a step" },
        { name: "elapsed in the shell loop", value: shell / STEPS, unit: "ms", note: "a step" },
      ],
    };
  } finally {
    await home.remove();
  }
}

async function used(home: Home): Promise<Record<string, number>> {
  const worker = await home.pid("worker");
  const helpers = childrenOf(worker).map(cpuTime);
  const server = cpuTime(await home.pid("server")).own;
  return {
    worker: cpuTime(worker).own,
    "spawn helper": helpers.reduce((sum, { own }) => sum + own, 0),
    "git and the steps' commands":
      helpers.reduce((sum, { children }) => sum + children, 0) + cpuTime(worker).children,
    server,
  };
}
