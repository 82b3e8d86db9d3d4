import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { Home } from "./support/home.js";
import { stepTimes } from "./support/history.js";
import { makeProject } from "./support/project.js";
import type { Row, Section } from "./support/table.js";

const SHELL_LOOP = fileURLToPath(new URL("shell-loop.sh", import.meta.url));

/** A full step (checkpoint, attempt, verify, commit, record) through Towpath, over the same work in a shell loop. */
export async function benchSteps(): Promise<Section> {
  const home = await Home.make();
  const rows: Row[] = [];
  try {
    await home.run("up");
    for (const count of [1, 20, 200]) {
      const shell = await shellLoop(home, count);
      const project = await makeProject(join(home.directory, `project-${count}`), count);
      const id = await home.complete(project);
      const towpath = await stepTimes(home, id);
      rows.push(
        { name: `shell loop, ${count} steps`, value: shell / count, unit: "ms", note: "a step" },
        { name: `Towpath, ${count} steps`, value: towpath.totalMs / count, unit: "ms", note: "a step" },
        {
          name: `Towpath over shell, ${count} steps`,
          value: towpath.totalMs / shell,
          unit: "×",
          target: 1.5,
        },
        {
          name: `history events, ${count} steps`,
          value: towpath.events / count,
          unit: "events",
          target: 6,
          note: "a step",
        },
      );
    }
  } finally {
    await home.remove();
  }
  return { title: "A full step, p50 of one run", rows };
}

async function shellLoop(home: Home, count: number): Promise<number> {
  const project = await makeProject(join(home.directory, `shell-${count}`), count);
  const manifest = join(home.directory, "manifest.json");
  await writeFile(manifest, "x".repeat(4096));
  const begun = performance.now();
  await execa(SHELL_LOOP, [project, String(count), manifest]);
  return performance.now() - begun;
}
