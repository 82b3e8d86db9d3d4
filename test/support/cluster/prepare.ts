/**
 * A process that sees to it that a cluster can be started here, so that no test has to wait for the server to be
 * built. Exit code 3: it cannot, as it says on stderr.
 */
import { clusterBinaries } from "./binaries.js";
import { clusterProblem } from "./problem.js";

const problem = clusterProblem();
if (problem === null) {
  await clusterBinaries((message) => process.stderr.write(`${message}\n`));
} else {
  process.stderr.write(`${problem}\n`);
  process.exitCode = 3;
}
