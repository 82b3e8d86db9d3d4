// `npm test`: every check there is, one after the other, and one closing line that counts them all.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
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

const counts = { passed: 0, failed: 0, skipped: 0 };
for (const { name, command } of checks) {
  console.log(`── ${name}`);
  if (run(command)) counts.passed += 1;
  else counts.failed += 1;
}

console.log("── tests");
const green = run([
  "vitest",
  "run",
  "--reporter=default",
  "--reporter=json",
  `--outputFile.json=${reportFile}`,
  ...process.argv.slice(2),
]);
const report = readReport();
counts.passed += report.passed;
counts.failed += report.failed;
counts.skipped += report.skipped;
// A suite that could not even be loaded, or an error outside of every test, is a failure too.
if (!green && report.failed === 0) counts.failed += 1;
rmSync(reports, { recursive: true, force: true });

const skipped = counts.skipped > 0 ? `, ${counts.skipped} skipped` : "";
console.log(`${counts.passed} passed, ${counts.failed} failed${skipped}`);
process.exitCode = counts.failed === 0 && report.passed > 0 ? 0 : 1;

function run([program, ...args]) {
  const bin = program === "node" ? process.execPath : join(root, "node_modules", ".bin", program);
  return spawnSync(bin, args, { cwd: root, stdio: "inherit" }).status === 0;
}

function readReport() {
  try {
    const { numPassedTests, numFailedTests, numPendingTests } = JSON.parse(readFileSync(reportFile, "utf8"));
    return { passed: numPassedTests, failed: numFailedTests, skipped: numPendingTests };
  } catch (error) {
    console.error(`vitest wrote no report: ${error.message}`);
    return { passed: 0, failed: 0, skipped: 0 };
  }
}
