import { buildId } from "../../adapters/installation/build-id.js";
import { healthProblem } from "../../adapters/temporal/connect.js";
import { embeddedStatus } from "../../adapters/temporal/embedded.js";
import { describeEndpoint } from "../../adapters/temporal/endpoint.js";
import { findBinary } from "../../adapters/temporal/provision.js";
import { temporalTarget } from "../../adapters/temporal/target.js";
import { workerStatus } from "../../worker/background.js";
import { fail, ok, warn, type Finding } from "./finding.js";

type Environment = Readonly<Record<string, string | undefined>>;

const PROBE_MS = 3_000;

/** Temporal: configured or embedded, its binary, its server. */
export async function checkTemporal(env: Environment, dataDir: string): Promise<Finding[]> {
  const target = temporalTarget(env);
  if (target.kind === "configured") {
    const problem = await healthProblem(target.endpoint, PROBE_MS);
    if (problem !== null) return [fail("temporal", problem, "")];
    return [ok("temporal", `${describeEndpoint(target.endpoint)}, configured, healthy`)];
  }
  return [await binaryFinding(env), await serverFinding(dataDir)];
}

async function binaryFinding(env: Environment): Promise<Finding> {
  const found = await findBinary(env);
  if ("path" in found) return ok("temporal", `${found.path} (${found.version})`);
  return warn(
    "temporal",
    `the server is not on this machine (${found.join("; ")})`,
    "`towpath up` downloads or builds it; or install the Temporal CLI.",
  );
}

async function serverFinding(dataDir: string): Promise<Finding> {
  const { state, problem } = await embeddedStatus(dataDir);
  if (state === null) return ok("server", "embedded, not running; it starts when it is needed");
  if (problem === null) return ok("server", `embedded, healthy at ${state.address}, UI ${state.uiAddress}`);
  return warn("server", `embedded, not healthy: ${problem}`, "`towpath up` starts it again on its database.");
}

/** The worker of this machine. */
export async function checkWorker(dataDir: string): Promise<Finding> {
  const worker = await workerStatus(dataDir);
  if (worker === null) return ok("worker", "not running; it starts when it is needed");
  const { report } = worker;
  const again = "`towpath down` and `towpath up` start it again.";
  if (report === null) return warn("worker", `process ${worker.pid} does not answer`, again);
  if (report.status !== "running")
    return warn("worker", `process ${worker.pid} is ${report.status}: ${report.problem ?? "busy"}`, again);
  if (report.buildId !== buildId())
    return warn(
      "worker",
      `process ${worker.pid} runs other code than is installed`,
      "`towpath up` replaces it.",
    );
  return ok("worker", `process ${worker.pid}, health http://${worker.healthAddress}/healthz`);
}
