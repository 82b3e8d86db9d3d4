import { mkdir, writeFile } from "node:fs/promises";
import { cpus, totalmem } from "node:os";
import { fileURLToPath } from "node:url";
import { benchCommands } from "./commands.js";
import { benchComparison } from "./comparison.js";
import { benchContainers } from "./containers.js";
import { benchManyMigrations } from "./many-migrations.js";
import { benchPlanLength } from "./plan-length.js";
import { benchProfile } from "./profile.js";
import { benchSignature } from "./signature.js";
import { benchRecovery } from "./recovery.js";
import { benchStart } from "./start.js";
import { benchSteps, benchStepsOnPostgres } from "./steps.js";
import { benchFootprint } from "./footprint.js";
import { benchThroughput } from "./throughput.js";
import { printTable, type Section } from "./support/table.js";

/**
 * Every section measures what it compares in one run: absolutes differ between machines, ratios less. One that cannot
 * be measured here says why.
 */
const SECTIONS: Readonly<Record<string, () => Promise<Section | string>>> = {
  commands: benchCommands,
  start: benchStart,
  steps: benchSteps,
  profile: benchProfile,
  "plan-length": benchPlanLength,
  "many-migrations": benchManyMigrations,
  signature: benchSignature,
  recovery: benchRecovery,
  containers: benchContainers,
  comparison: benchComparison,
  "steps-on-postgres": benchStepsOnPostgres,
  throughput: benchThroughput,
  footprint: benchFootprint,
};

/** These take minutes of preparation, so they are measured only when they are named. */
const NAMED_ONLY = new Set(["steps-on-postgres", "throughput", "footprint"]);

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !Object.hasOwn(SECTIONS, name));
if (unknown.length > 0) {
  console.error(`Unknown section ${unknown.join(", ")}; there are: ${Object.keys(SECTIONS).join(", ")}`);
  process.exit(2);
}

const results: Section[] = [];
for (const [name, run] of Object.entries(SECTIONS)) {
  if (wanted.length > 0 ? !wanted.includes(name) : NAMED_ONLY.has(name)) continue;
  console.error(`measuring: ${name}`);
  const section = await run();
  if (typeof section === "string") {
    console.error(`not measured: ${name}: ${section}`);
    if (wanted.includes(name)) process.exitCode = 1;
    continue;
  }
  printTable(section);
  results.push(section);
}

const directory = fileURLToPath(new URL("results/", import.meta.url));
await mkdir(directory, { recursive: true });
const machine = {
  cores: cpus().length,
  model: cpus()[0]?.model ?? "",
  memoryGiB: Math.round(totalmem() / 2 ** 30),
  node: process.version,
};
await writeFile(
  `${directory}latest.json`,
  `${JSON.stringify({ measuredAt: new Date().toISOString(), machine, sections: results }, null, 2)}\n`,
);
