import type { WorkerParts } from "./parts.js";
import { installedWorkflows } from "./workflow-source.js";

/** Everything that Towpath's own worker runs. */
export async function installedParts(): Promise<WorkerParts> {
  return { activities: {}, workflows: installedWorkflows() };
}
