import type { Client } from "@temporalio/client";
import { TowpathError, messageOf } from "../../model/errors.js";
import { until } from "./detached.js";

/** One build of Towpath, as Temporal's worker versioning names it. */
export interface DeploymentVersion {
  readonly deploymentName: string;
  readonly buildId: string;
}

/** Status codes of gRPC that pass: the server learns of a version by its workers' polling, and others may be quicker. */
const PASSING = new Set<unknown>([5, 9, 10]);

const LIMIT_MS = 60_000;
const POLL_MS = 250;

/**
 * Makes the first build that ever comes the current one, for without one nobody is given any work. Which one follows it
 * is for people to say.
 * @throws TowpathError `TemporalUnavailable` where the namespace refuses
 */
export async function ensureCurrentVersion(client: Client, version: DeploymentVersion): Promise<void> {
  let last: unknown = null;
  const attempt = async (): Promise<boolean> => {
    try {
      return await setWhereNone(client, version);
    } catch (error) {
      last = error;
      if (PASSING.has(codeOf(error))) return false;
      throw refused(version, error);
    }
  };
  if (!(await until(attempt, LIMIT_MS, POLL_MS))) throw refused(version, last);
}

async function setWhereNone(client: Client, version: DeploymentVersion): Promise<boolean> {
  const { namespace } = client.options;
  const { deploymentName, buildId } = version;
  const { conflictToken, workerDeploymentInfo } = await client.workflowService.describeWorkerDeployment({
    namespace,
    deploymentName,
  });
  const current = workerDeploymentInfo?.routingConfig?.currentDeploymentVersion?.buildId ?? "";
  if (current !== "") return true;
  await client.workflowService.setWorkerDeploymentCurrentVersion({
    namespace,
    deploymentName,
    buildId,
    conflictToken,
    identity: client.options.identity,
  });
  return true;
}

function refused({ deploymentName, buildId }: DeploymentVersion, cause: unknown): TowpathError {
  return new TowpathError(
    "TemporalUnavailable",
    `The deployment ${deploymentName} has no current version, and this worker may not set one: ${messageOf(cause)}. ` +
      `Somebody who may has to: temporal worker deployment set-current-version --deployment-name ${deploymentName} --build-id ${buildId}`,
    { cause, details: { deploymentName, buildId } },
  );
}

function codeOf(error: unknown): unknown {
  return typeof error === "object" && error !== null && "code" in error ? error.code : undefined;
}
