// `npm test`: every check there is, one after the other, and one closing line that counts them all.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const reports = mkdtempSync(join(tmpdir(), "towpath-test-report-"));
const reportFile = join(reports, "vitest.json");

const checks = [
  { name: "formatting", command: ["prettier", "--check", "--log-level", "warn", "."] },
  { name: "types", command: ["tsc", "--noEmit"] },
  {
    name: "lint",
    command: ["oxlint", "--type-aware", "--deny-warnings", "."],
  },
  { name: "build", command: ["node", "scripts/build.mjs"] },
];

/** What runs against Temporal's distributed engine as well as against the embedded server. */
const ON_CLUSTER = ["test/e2e", "test/workflows", "test/dashboard"];
const CLUSTER_IMPOSSIBLE = 3;

/** So many files are named at the end, slowest first: where a quicker run is to be had. */
const SLOWEST = 12;
const FAILURE_LINES = 25;

let tested = 0;
const failures = [];
const durations = [];
const counts = { passed: 0, failed: 0, skipped: 0 };
for (const { name, command } of checks) {
  console.log(`── ${name}`);
  if (run(command)) counts.passed += 1;
  else fail(name, "see above");
}

const filters = process.argv.slice(2);
// A part that was asked for, or a server that was chosen, is all that is wanted.
const isWhole = filters.length === 0 && !process.env.TOWPATH_TEST_SERVER;
const onCluster = isWhole && clusterIsReady();
test("tests", filters, {});
if (onCluster) test("tests on a cluster", ON_CLUSTER, { TOWPATH_TEST_SERVER: "cluster" });
rmSync(reports, { recursive: true, force: true });
tellSlowest();
tellFailures();

const skipped = counts.skipped > 0 ? `, ${counts.skipped} skipped` : "";
console.log(`${counts.passed} passed, ${counts.failed} failed${skipped}`);
process.exitCode = counts.failed === 0 && tested > 0 ? 0 : 1;

function test(name, files, env) {
  console.log(`── ${name}`);
  rmSync(reportFile, { force: true });
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${reportFile}`];
  const green = run(["vitest", "run", ...reporters, ...files], env);
  const report = readReport();
  tested += report.numPassedTests;
  counts.passed += report.numPassedTests;
  counts.skipped += report.numPendingTests;
  const known = counts.failed;
  for (const file of report.testResults) note(name, file);
  // An error outside of every test is a failure too.
  if (!green && counts.failed === known) fail(name, "vitest failed outside of every test: see above");
}

function note(pass, { name, startTime, endTime, message, assertionResults }) {
  const file = relative(root, name);
  durations.push({ pass, file, seconds: (endTime - startTime) / 1_000 });
  const failed = assertionResults.filter(({ status }) => status === "failed");
  for (const { fullName, failureMessages } of failed) {
    fail(`${pass}: ${file} > ${fullName}`, failureMessages.join("\n"));
  }
  // A suite that could not even be loaded has no test that failed.
  if (failed.length === 0 && message) fail(`${pass}: ${file}`, message);
}

function fail(what, why) {
  counts.failed += 1;
  failures.push({ what, why });
}

function tellSlowest() {
  console.log("── slowest files");
  const slowest = durations.sort((one, other) => other.seconds - one.seconds).slice(0, SLOWEST);
  for (const { pass, file, seconds } of slowest) {
    console.log(`${seconds.toFixed(0).padStart(5)} s  ${file} (${pass})`);
  }
}

/** Once more and last, because the output of a whole run is long, and often only its end is kept. */
function tellFailures() {
  if (failures.length > 0) console.log("── failures");
  for (const { what, why } of failures) {
    console.log(`✗ ${what}`);
    const lines = why.split("\n").slice(0, FAILURE_LINES);
    console.log(lines.map((line) => `    ${line}`).join("\n"));
  }
}

/** Builds the server where it is not built yet. In CI the cluster must be there; elsewhere its tests are skipped. */
function clusterIsReady() {
  console.log("── Temporal cluster");
  const prepare = ["--import", "tsx", "test/support/cluster/prepare.ts"];
  const { status } = spawnSync(process.execPath, prepare, { cwd: root, stdio: "inherit" });
  if (status === 0) return true;
  const mayBeMissing = status === CLUSTER_IMPOSSIBLE && process.env.CI !== "true" && process.env.CI !== "1";
  if (mayBeMissing) console.error(`Skipped on a cluster: ${ON_CLUSTER.join(", ")}`);
  else fail("Temporal cluster", "see above");
  return false;
}

function run([program, ...args], env = {}) {
  const bin = program === "node" ? process.execPath : join(root, "node_modules", ".bin", program);
  return spawnSync(bin, args, { cwd: root, stdio: "inherit", env: { ...process.env, ...env } }).status === 0;
}

function readReport() {
  try {
    return JSON.parse(readFileSync(reportFile, "utf8"));
  } catch (error) {
    console.error(`vitest wrote no report: ${error.message}`);
    return { numPassedTests: 0, numPendingTests: 0, testResults: [] };
  }
}
