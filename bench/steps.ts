import { mkdtemp, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { Cluster } from "../test/support/cluster/cluster.js";
import { Home } from "./support/home.js";
import { stepTimes, type StepTimes } from "./support/history.js";
import { makeProject } from "./support/project.js";
import { median, type Row, type Section } from "./support/table.js";

const SHELL_LOOP = fileURLToPath(new URL("shell-loop.sh", import.meta.url));

/** A full step (checkpoint, attempt, verify, commit, record) through Towpath, over the same work in a shell loop. */
export async function benchSteps(): Promise<Section> {
  const home = await Home.make();
  return { title: "A full step, embedded server", rows: await measured(home) };
}

/** The same with a server on PostgreSQL. Only when asked for by name: it compiles the server. */
export async function benchStepsOnPostgres(): Promise<Section> {
  const cluster = await Cluster.start({ onProgress: (message) => console.error(message) });
  try {
    const home = await Home.make({ TEMPORAL_ADDRESS: cluster.address });
    return { title: "A full step, server on PostgreSQL", rows: await measured(home) };
  } finally {
    await cluster.remove();
  }
}

async function measured(home: Home): Promise<Row[]> {
  const rows: Row[] = [];
  try {
    await home.run("up");
    for (const count of [1, 20, 200]) rows.push(...(await compared(home, count)));
  } finally {
    await home.remove();
  }
  return rows;
}

async function compared(home: Home, count: number): Promise<Row[]> {
  const runs: { shell: number; towpath: StepTimes }[] = [];
  for (let run = 0; run < runsOf(count); run += 1) {
    const shell = await shellLoop(home, count);
    const project = await makeProject(join(home.directory, `project-${count}-${run}`), count);
    runs.push({ shell, towpath: await stepTimes(home, await home.complete(project)) });
  }
  const shell = median(runs.map((run) => run.shell));
  const [{ towpath: { events } } = { towpath: { events: 0 } }] = runs;
  const totalMs = median(runs.map((run) => run.towpath.totalMs));
  const steps = count === 1 ? "1 step" : `${count} steps`;
  return [
    { name: `shell loop, ${steps}`, value: shell / count, unit: "ms", note: "a step" },
    { name: `Towpath, ${steps}`, value: totalMs / count, unit: "ms", note: "a step" },
    { name: `Towpath over shell, ${steps}`, value: totalMs / shell, unit: "×", target: 1.5 },
    { name: `history, ${steps}`, value: events / count, unit: "events", target: 6, note: "a step" },
  ];
}

/** Of so few steps that one run tells little there are more, in turns with the shell's. */
function runsOf(count: number): number {
  return Math.max(1, Math.min(9, Math.round(60 / count)));
}

export async function shellLoop(home: Home, count: number): Promise<number> {
  const project = await makeProject(await mkdtemp(join(home.directory, "shell-")), count);
  const manifest = join(home.directory, "manifest.json");
  await writeFile(manifest, "x".repeat(4096));
  const begun = performance.now();
  await execa(SHELL_LOOP, [project, String(count), manifest]);
  return performance.now() - begun;
}
