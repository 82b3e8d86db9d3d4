import {
  ActivityCancellationType,
  ApplicationFailure,
  proxyActivities,
  setCurrentDetails,
  upsertMemo,
  upsertSearchAttributes,
} from "@temporalio/workflow";
import type { EngineActivities } from "../activities/engine-contract.js";
import { parseReference, repositoryOf } from "../model/images/reference.js";
import { describeRefresh, type RefreshReport, RefreshRequest } from "../model/images/refresh.js";
import { hostQueue } from "../model/queues.js";
import { asFailure, failure } from "./refusals.js";
import { isSealed } from "./sealed.js";
import { startPairs } from "./search-attributes.js";

/**
 * Refreshes one image on one host's engine: pulls it, and removes what it supersedes. The report is the result, and stands
 * in memo, search attributes and details. Its id is the host's and the repository's, so that requests at the same
 * time are one.
 */
export async function imageRefresh(input: RefreshRequest): Promise<RefreshReport> {
  const parsed = RefreshRequest.safeParse(input);
  if (!parsed.success) throw failure("Usage", `The refresh's input is invalid: ${parsed.error.message}`);
  const request = parsed.data;
  show(request, repositoryIn(request), "in_progress");
  const { refreshImage } = proxyActivities<EngineActivities>({
    taskQueue: hostQueue(request.hostId),
    startToCloseTimeout: "6 hours",
    heartbeatTimeout: "10 seconds",
    retry: {
      initialInterval: "1 second",
      backoffCoefficient: 2,
      maximumInterval: "1 minute",
      maximumAttempts: 4,
    },
    cancellationType: ActivityCancellationType.TRY_CANCEL,
  });
  const report = await refreshImage.executeWithOptions({ summary: `refresh ${request.reference}` }, [
    request,
  ]);
  tell(request, report);
  if (request.failOnProblem && report.outcome === "pull-failed") {
    throw ApplicationFailure.retryable(report.problem ?? "the pull failed", "PullFailed");
  }
  return report;
}

function repositoryIn(request: RefreshRequest): string {
  try {
    return repositoryOf(parseReference(request.reference));
  } catch (error) {
    throw asFailure(error);
  }
}

function show(request: RefreshRequest, repository: string, status: string): void {
  upsertSearchAttributes(
    startPairs({
      TowpathKind: "image-refresh",
      TowpathHost: request.hostId,
      ...(isSealed() ? {} : { TowpathRepository: repository }),
      TowpathStatus: status,
    }),
  );
}

function tell(request: RefreshRequest, report: RefreshReport): void {
  upsertMemo({ report });
  show(request, report.repository, report.outcome);
  setCurrentDetails(["```", describeRefresh(report), "```"].join("\n"));
}
