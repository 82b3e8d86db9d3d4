import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { Postgres } from "../test/support/cluster/postgres.js";
import { stepTimes } from "./support/history.js";
import { Home } from "./support/home.js";
import { makeProject } from "./support/project.js";
import type { Row, Section } from "./support/table.js";

const STEPS = 200;
const DBOS = "5.3.0";
const CODEMOD = "1.18.3";

const rival = (name: string) => fileURLToPath(new URL(`rivals/${name}`, import.meta.url));

/** 200 × {`true`, a 4 KB manifest made durable, a tag}: by Towpath, by plain loops, by what can be installed. */
export async function benchComparison(): Promise<Section> {
  const directory = await mkdtemp(join(tmpdir(), "towpath-bench-rivals-"));
  try {
    const rows: (Row | null)[] = [
      await shellLoop(directory),
      await nodeLoop(directory),
      await throughTowpath(),
    ];
    const installed = await installRivals(directory);
    if (installed === null) {
      rows.push(await throughDbos(directory), await throughCodemod(directory));
    } else {
      console.error(`DBOS and the codemod CLI are left out: ${installed}`);
    }
    return {
      title: `${STEPS} × {true, 4 KB manifest, tag}`,
      rows: rows.filter((row) => row !== null),
    };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function repositoryIn(directory: string, name: string) {
  const repository = await makeProject(join(directory, name), 1);
  return { repository, manifest: join(directory, `${name}.json`) };
}

async function shellLoop(directory: string): Promise<Row> {
  const { repository, manifest } = await repositoryIn(directory, "shell");
  const begun = performance.now();
  await execa(rival("small-loop.sh"), [repository, manifest, String(STEPS)]);
  return { name: "shell loop", value: (performance.now() - begun) / 1000, unit: "s" };
}

async function nodeLoop(directory: string): Promise<Row> {
  const { repository, manifest } = await repositoryIn(directory, "node");
  const { stdout } = await execa(process.execPath, [
    rival("node-loop.mjs"),
    repository,
    manifest,
    String(STEPS),
  ]);
  return { name: "Node loop", value: Number(stdout) / 1000, unit: "s", note: "not resumable" };
}

/** Steps that change nothing: tag, two updates of the manifest, checkpoint file, and looking that nothing changed. */
async function throughTowpath(): Promise<Row> {
  const home = await Home.make();
  try {
    await home.run("up");
    const project = await makeProject(join(home.directory, "project"), STEPS, () => `run: "true"`);
    const { totalMs } = await stepTimes(home, await home.complete(project));
    return { name: "Towpath", value: totalMs / 1000, unit: "s", target: 1.8 };
  } finally {
    await home.remove();
  }
}

/** @returns null, or why they cannot be installed */
async function installRivals(directory: string): Promise<string | null> {
  await writeFile(join(directory, "package.json"), "{}");
  const packages = [`@dbos-inc/dbos-sdk@${DBOS}`, `codemod@${CODEMOD}`];
  const options = ["--ignore-scripts", "--no-audit", "--no-fund", "--prefix", directory];
  const answer = await execa("npm", ["install", ...options, ...packages], { cwd: directory, reject: false });
  return answer.failed ? (answer.stderr.trim().split("\n").at(-1) ?? "npm install failed") : null;
}

async function throughDbos(directory: string): Promise<Row | null> {
  const postgres = await Postgres.start();
  if (postgres === null) return null;
  try {
    await postgres.createRole("dbos");
    await postgres.createDatabase("dbos", "dbos");
    const { repository, manifest } = await repositoryIn(directory, "dbos");
    const url = `postgresql://dbos:dbos@127.0.0.1:${postgres.port}/dbos`;
    const args = [rival("dbos.mjs"), directory, repository, manifest, String(STEPS), url];
    const { stdout } = await execa(process.execPath, args);
    const value = Number(stdout.trim().split("\n").at(-1)) / 1000;
    return { name: `DBOS ${DBOS} on PostgreSQL`, value, unit: "s" };
  } finally {
    await postgres.remove();
  }
}

async function throughCodemod(directory: string): Promise<Row> {
  const { repository, manifest } = await repositoryIn(directory, "codemod");
  const command = (i: number) =>
    `/bin/true; dd if=/dev/zero of=${manifest}.tmp bs=4096 count=1 conv=fsync status=none; ` +
    `mv ${manifest}.tmp ${manifest}; git -C ${repository} tag small/s${i}`;
  const steps = Array.from({ length: STEPS }, (_, i) => ({ name: `s${i + 1}`, run: command(i + 1) }));
  const workflow = { version: "1", nodes: [{ id: "small", name: "small", type: "automatic", steps }] };
  const path = join(directory, "workflow.json.yaml");
  await writeFile(path, JSON.stringify(workflow));
  const bin = join(directory, "node_modules", ".bin", "codemod");
  const options = ["--no-interactive", "--allow-dirty", "--disable-analytics", "--target", repository];
  const begun = performance.now();
  await execa(bin, ["workflow", "run", "--workflow", path, ...options], {
    env: { HOME: directory, DISABLE_ANALYTICS: "true" },
  });
  const value = (performance.now() - begun) / 1000;
  const { stdout } = await execa("git", ["tag"], { cwd: repository });
  const done = stdout.split("\n").filter((tag) => tag !== "").length;
  if (done !== STEPS) throw new Error(`the codemod CLI made ${done} of ${STEPS} tags`);
  return { name: `codemod CLI ${CODEMOD}`, value, unit: "s", note: "whole process" };
}
