import {
  ChildWorkflowCancellationType,
  executeChild,
  isCancellation,
  ParentClosePolicy,
  proxyActivities,
  uuid4,
} from "@temporalio/workflow";
import { ChildWorkflowFailure, WorkflowExecutionAlreadyStartedError } from "@temporalio/common";
import type { PreparationResult } from "../activities/contract.js";
import type { EngineActivities } from "../activities/engine-contract.js";
import { parseReference, repositoryOf } from "../model/images/reference.js";
import {
  REFRESH_DEFAULTS,
  type RefreshReport,
  type RefreshRequest,
  refreshWorkflowId,
} from "../model/images/refresh.js";
import { hostQueue } from "../model/queues.js";
import { SEALED_MEMO } from "../model/visibility.js";
import { imageRefresh } from "./image-refresh.js";
import type { Reception } from "./reception.js";
import { isSealed } from "./sealed.js";

/**
 * Refreshes the images that a migration's commands will run in. A pull that fails does no harm where the engine has the
 * image from before; where it has none, a person is asked.
 */
export async function refreshImages(
  hostId: string,
  images: readonly string[],
  reception: Reception,
): Promise<void> {
  for (const image of images) {
    await reception.untilPrepared(`image ${image}`, () => refreshOne(hostId, image));
  }
}

async function refreshOne(hostId: string, image: string): Promise<PreparationResult> {
  // Other tags of the repository are somebody's choice: only what lost its tag is superseded for certain.
  const request = { ...REFRESH_DEFAULTS, pins: [], hostId, reference: image, keepTagged: true };
  try {
    const report = await refreshOrJoin(request);
    const isUsable = report.outcome !== "pull-failed" || report.local;
    return { ok: isUsable, message: isUsable ? "" : (report.problem ?? "") };
  } catch (error) {
    if (isCancellation(error) || !(error instanceof ChildWorkflowFailure)) throw error;
    // The image may be there all the same; the command that uses it will tell.
    return { ok: true, message: "" };
  }
}

/** Ids are stored in clear: a sealed migration's images are not named by them, and the host joins what meets there. */
function childId({ hostId, reference }: RefreshRequest): string {
  return isSealed()
    ? `image-refresh:${hostId}:${uuid4()}`
    : refreshWorkflowId(hostId, repositoryOf(parseReference(reference)), false);
}

async function refreshOrJoin(request: RefreshRequest): Promise<RefreshReport> {
  const { hostId, reference } = request;
  const taskQueue = hostQueue(hostId);
  try {
    return await executeChild(imageRefresh, {
      workflowId: childId(request),
      taskQueue,
      args: [request],
      cancellationType: ChildWorkflowCancellationType.ABANDON,
      parentClosePolicy: ParentClosePolicy.ABANDON,
      staticSummary: reference,
      ...(isSealed() ? { memo: { [SEALED_MEMO]: true } } : {}),
    });
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    // Somebody else's refresh of this repository runs: on the host both are one.
    const { refreshImage } = proxyActivities<EngineActivities>({
      taskQueue,
      startToCloseTimeout: "6 hours",
      heartbeatTimeout: "10 seconds",
      retry: { maximumAttempts: 4 },
    });
    return await refreshImage.executeWithOptions({ summary: `join the refresh of ${reference}` }, [request]);
  }
}
