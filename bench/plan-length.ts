import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { Home } from "./support/home.js";
import { stepTimes } from "./support/history.js";
import { makeProject } from "./support/project.js";
import type { Row, Section } from "./support/table.js";

/** Lengths of the plan; `TOWPATH_BENCH_LONG=1` adds 10,000 steps, which take many minutes. */
const LENGTHS = process.env["TOWPATH_BENCH_LONG"] === "1" ? [10, 1_000, 10_000] : [10, 100, 1_000];

/** Cost a step by the length of the plan: it should not grow. */
export async function benchPlanLength(): Promise<Section> {
  const home = await Home.make();
  const rows: Row[] = [];
  try {
    await home.run("up");
    for (const count of LENGTHS) {
      const project = await makeProject(join(home.directory, `project-${count}`), count);
      const begun = performance.now();
      const id = await home.complete(project);
      const wholeMs = performance.now() - begun;
      const bytes = await bytesBelow(join(home.dataDir, "migrations", id, "state"));
      rows.push(
        { name: `${count} steps, whole migration`, value: wholeMs / count, unit: "ms", note: "a step" },
        { name: `${count} steps, manifest chain`, value: bytes / count, unit: "bytes", note: "a step" },
      );
      if (count <= 100) {
        const { events } = await stepTimes(home, id);
        rows.push({
          name: `${count} steps, history`,
          value: events / count,
          unit: "events",
          note: "a step",
          target: 6,
        });
      }
    }
  } finally {
    await home.remove();
  }
  return { title: "Cost a step by the length of the plan", rows };
}

async function bytesBelow(directory: string): Promise<number> {
  const names = await readdir(directory);
  const sizes = await Promise.all(names.map(async (name) => (await stat(join(directory, name))).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}
