import { mkdir, mkdtemp, readdir, readFile, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { parseJUnit } from "../../src/model/reports/junit.js";
import { TestReport } from "../../src/model/reports/report.js";
import { makeHome, type Home } from "../support/cli.js";

const example = fileURLToPath(new URL("../../examples/sqlparse-python2-to-3", import.meta.url));
const SKIPPED = "tests.test_tokenize.TestTokenize::test_tab_expansion";

const StoredReport = z.object({ report: TestReport });
const Manifest = z.looseObject({
  status: z.string(),
  base_commit: z.string(),
  approvals: z.array(z.looseObject({ by: z.string(), exceptions: z.array(z.string()) })),
  steps: z.record(z.string(), z.looseObject({ attempts: z.int() })),
});

/** 2to3 left Python with 3.13. */
const canMigrate =
  (await execa("python3", ["-W", "ignore", "-c", "import lib2to3"], { reject: false })).exitCode === 0;

let home: Home;
let scratch: string;
let source: string;
let id = "";
let directory: string;

beforeAll(async () => {
  if (!canMigrate) return;
  home = await makeHome("own");
  scratch = await mkdtemp(path.join(tmpdir(), "towpath-sqlparse-"));
  source = path.join(scratch, "sqlparse");
  await execa("node", [path.join(example, "prepare.mjs"), source]);
}, 300_000);
afterAll(async () => {
  if (!canMigrate) return;
  await home.remove();
  await rm(scratch, { recursive: true, force: true });
}, 300_000);

async function statusText(): Promise<string> {
  return (await home.run(["status", id, "--json"])).stdout;
}

async function waits(kind: string): Promise<string> {
  await expect.poll(statusText, { timeout: 900_000, interval: 2_000 }).toContain(`"kind": "${kind}"`);
  return statusText();
}

async function counts(report: string): Promise<Record<string, number>> {
  const text = await readFile(path.join(directory, "reports", report), "utf8");
  const of: Record<string, number> = {};
  for (const { status } of StoredReport.parse(JSON.parse(text)).report.tests)
    of[status] = (of[status] ?? 0) + 1;
  return of;
}

function outcomes({ tests }: Pick<TestReport, "tests">): string[] {
  return tests.map(({ classname, name, status }) => `${classname}::${name} ${status}`).sort();
}

/** A PATH on which everything is but these programs. */
async function pathWithout(programs: readonly string[]): Promise<string> {
  const bin = path.join(scratch, "bin");
  await mkdir(bin);
  for (const from of (process.env["PATH"] ?? "").split(path.delimiter)) {
    const names = await readdir(from).catch(() => []);
    for (const name of names.filter((each) => !programs.includes(each)))
      await symlink(path.join(from, name), path.join(bin, name)).catch(() => null);
  }
  return bin;
}

function log(step: string, attempt: number, what: string): Promise<string> {
  return readFile(path.join(directory, "logs", step, `attempt-${attempt}.${what}.log`), "utf8");
}

describe.skipIf(!canMigrate)("the example sqlparse-python2-to-3", () => {
  it("comes to a person with every test accounted for", { timeout: 1_000_000 }, async () => {
    const started = await home.run(["start", source, "--allow-host"]);
    expect(started).toMatchObject({ code: 0 });
    id = /^Started (?<id>mig_\S+)/.exec(started.stdout)?.groups?.["id"] ?? "";
    directory = path.join(home.dataDir, "migrations", id);
    expect(await waits("approval")).toContain(`1 newly skipped test: ${SKIPPED}`);
    expect(await counts("baseline.json")).toEqual({ passed: 164 });
    expect(await counts("full-suite.json")).toEqual({ passed: 163, skipped: 1 });
  });

  it("needed the feedback of the first attempt's failure for the repair", async () => {
    expect(await log("generators", 1, "agent")).toContain("I leave everything as it is");
    expect(await log("generators", 1, "verify-1")).toMatch(/81 failed, 82 passed, 1 skipped/);
    expect(await log("generators", 2, "agent")).toContain("2 generators return now");
  });

  it("takes a recorded report where there is no JDK, of the tests that run where there is one", async () => {
    const clone = path.join(scratch, "without-jdk");
    await execa("git", ["clone", "--quiet", source, clone]);
    const env = { PATH: await pathWithout(["java", "mvn"]), HOME: scratch };
    const run = (script: string, ...args: string[]) =>
      execa(path.join(clone, "migration", script), args, { cwd: clone, env, all: true });
    await run("setup.sh");
    const report = path.join(scratch, "recorded.xml");
    const { all } = await run("baseline.sh", report);
    expect(all).toContain("no JDK with Maven here: taking the recorded report of Jython 2.7.4");
    const recorded = outcomes(parseJUnit(await readFile(report, "utf8"), "recorded.xml"));
    expect(recorded).toHaveLength(164);
    const measured = await readFile(path.join(directory, "reports", "baseline.json"), "utf8");
    expect(outcomes(StoredReport.parse(JSON.parse(measured)).report)).toEqual(recorded);
  });

  it(
    "ends verified when a person has approved, with the skipped test on record by name",
    { timeout: 300_000 },
    async () => {
      expect(
        await home.run(["approve", id, "--as", "Ada", "--comment", "upstream skips it on Python 3"]),
      ).toMatchObject({
        code: 0,
      });
      await expect.poll(statusText, { timeout: 90_000 }).toContain('"status": "completed"');
      const manifest = Manifest.parse(
        JSON.parse(await readFile(path.join(directory, "manifest.json"), "utf8")),
      );
      expect(manifest.approvals).toMatchObject([{ by: "Ada", exceptions: [SKIPPED] }]);
      expect(manifest.steps["generators"]).toMatchObject({ attempts: 2 });
      const report = await readFile(path.join(directory, "docs/verification-report.md"), "utf8");
      expect(report).toContain("163 of 164 characterised behaviours pass");
      const { stdout } = await execa("git", ["diff", "--stat", `towpath/${id}~2`, `towpath/${id}~1`], {
        cwd: source,
      });
      expect(stdout).toContain("2 files changed, 2 insertions(+), 2 deletions(-)");
    },
  );
});
