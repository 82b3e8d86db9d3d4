import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { processIo } from "./support/process-usage.js";
import { historyOf, stepEventsIn } from "./support/history.js";
import { Home } from "./support/home.js";
import { makeProject } from "./support/project.js";
import type { Row, Section } from "./support/table.js";

const LENGTHS = [10, 1_000, 10_000];

/** A length that would take longer, as the one before it tells, is measured only with `TOWPATH_BENCH_LONG=1`. */
const MAX_MS = 5 * 60_000;

/** Of fewer steps most of the time is the migration's own, and tells nothing of more. */
const TELLING_LENGTH = 1_000;

/** Cost a step by the length of the plan: it should not grow. */
export async function benchPlanLength(): Promise<Section> {
  const home = await Home.make();
  const rows: Row[] = [];
  try {
    await home.run("up");
    let aStepMs = 0;
    for (const count of LENGTHS) {
      const expectedMs = aStepMs * count;
      if (expectedMs > MAX_MS && process.env["TOWPATH_BENCH_LONG"] !== "1") {
        const minutes = Math.round(expectedMs / 60_000);
        console.error(`${count} steps are left out: ${minutes} minutes; TOWPATH_BENCH_LONG=1 measures them`);
        continue;
      }
      const measured = await migrated(home, count);
      if (count >= TELLING_LENGTH) aStepMs = measured.ms / count;
      rows.push(...rowsOf(count, measured));
    }
  } finally {
    await home.remove();
  }
  return { title: "Cost a step by the length of the plan; steps that change nothing, whole migration", rows };
}

interface Measured {
  readonly ms: number;
  /** Written by the worker: manifest chain, published copies, logs; git writes besides. */
  readonly bytes: number;
  /** In all runs of the workflow. */
  readonly events: number;
}

async function migrated(home: Home, count: number): Promise<Measured> {
  const project = await makeProject(join(home.directory, `project-${count}`), 1);
  const spec = join(home.directory, `specs-${count}`, "towpath.yaml");
  await mkdir(join(spec, ".."));
  await writeFile(spec, longSpec(count));
  const worker = await home.pid("worker");
  const before = processIo(worker);
  const begun = performance.now();
  const id = await home.start(project, "--spec", spec);
  await home.finished(id);
  const ms = performance.now() - begun;
  return { ms, bytes: processIo(worker) - before, events: stepEventsIn(await historyOf(home, id)) };
}

/** Ten thousand steps must fit in the 256 KiB that a spec may have. */
function longSpec(count: number): string {
  const steps = Array.from({ length: count }, (_, i) => `{id: s${i},run: "true"}`);
  return `version: 1
name: long
target: next
phases:
  understand: { steps: [{ id: survey, uses: survey }] }
  guardrail: { features: [{ id: stands, description: it stands, test: "true" }] }
  migrate:
    steps: [${steps.join(",")}]
`;
}

function rowsOf(count: number, { ms, bytes, events }: Measured): Row[] {
  const row = (name: string, value: number, unit: Row["unit"]): Row => {
    return { name: `${count} steps, ${name}`, value: value / count, unit, note: "a step" };
  };
  return [
    row("elapsed", ms, "ms"),
    row("written by the worker", bytes, "bytes"),
    { ...row("history", events, "events"), target: 6 },
  ];
}
