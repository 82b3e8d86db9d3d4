import type {
  AdvanceAnswer,
  AdvanceRequest,
  ApproveAnswer,
  ApproveRequest,
  GateView,
  PlanView,
  ProgressView,
  RejectAnswer,
  RejectRequest,
  RetryAnswer,
  RetryRequest,
  RollbackAnswer,
  RollbackRequest,
  SkipAnswer,
  SkipRequest,
  StopRequest,
} from "../model/messages.js";
import { STEPS_UNDER_WAY } from "../model/messages.js";
import type { StepsUnderWay } from "../activities/contract.js";
import { defineQuery, defineSignal, defineUpdate } from "@temporalio/workflow";

/** Everything that a client needs to talk to a migration; its workflow id is the migration's id. */
export const MIGRATION_WORKFLOW = "migration";

export const advance = defineUpdate<AdvanceAnswer, [AdvanceRequest]>("advance");
export const approve = defineUpdate<ApproveAnswer, [ApproveRequest]>("approve");
export const reject = defineUpdate<RejectAnswer, [RejectRequest]>("reject");
export const rollback = defineUpdate<RollbackAnswer, [RollbackRequest]>("rollback");
export const retry = defineUpdate<RetryAnswer, [RetryRequest]>("retry");
export const skip = defineUpdate<SkipAnswer, [SkipRequest]>("skip");

export const pause = defineSignal("pause");
export const resume = defineSignal("resume");
export const stop = defineSignal<[StopRequest]>("stop");
/** From the host, not from people. */
export const stepsUnderWay = defineSignal<[StepsUnderWay]>(STEPS_UNDER_WAY);

export const progress = defineQuery<ProgressView>("progress");
export const plan = defineQuery<PlanView>("plan");
export const gates = defineQuery<GateView[]>("gates");
