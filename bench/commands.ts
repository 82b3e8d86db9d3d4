import { cp } from "node:fs/promises";
import { join } from "node:path";
import { Home } from "./support/home.js";
import { makeProject } from "./support/project.js";
import { median, type Row, type Section } from "./support/table.js";

const REPEAT = 15;
const MANY = 1_000;

/** Commands as whole processes, as people and scripts run them. */
export async function benchCommands(): Promise<Section> {
  const home = await Home.make();
  try {
    await home.run("up");
    const project = await makeProject(join(home.directory, "project"), 3);
    const id = await home.complete(project);
    const time = async (name: string, target: number | undefined, ...args: string[]): Promise<Row> => ({
      name,
      value: median(await home.time(REPEAT, ...args)),
      unit: "ms",
      ...(target === undefined ? {} : { target }),
    });
    const rows = [
      await time("towpath --help", 100, "--help"),
      await time("towpath status --local", 150, "status", id, "--local"),
      await time("towpath status", 350, "status", id),
    ];
    const migrations = join(home.dataDir, "migrations");
    for (let i = 0; i < MANY - 1; i++) {
      const copy = `mig_20250101_000000_copy-${i.toString(16).padStart(6, "0")}`;
      await cp(join(migrations, id, "manifest.json"), join(migrations, copy, "manifest.json"));
    }
    rows.push(await time(`towpath list --local, ${MANY} migrations`, undefined, "list", "--local"));
    return { title: "Commands as whole processes, median", rows };
  } finally {
    await home.remove();
  }
}
