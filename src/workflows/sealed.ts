import { workflowInfo } from "@temporalio/workflow";
import { SEALED_MEMO } from "../model/visibility.js";

/**
 * True where this workflow was started with encryption: then nothing that says what it is about may stand where Temporal
 * stores clear text. What it was started as, it stays, whatever keys its workers have later.
 */
export function isSealed(): boolean {
  return workflowInfo().memo?.[SEALED_MEMO] === true;
}
