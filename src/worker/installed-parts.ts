import { createActivities } from "../activities/index.js";
import { MigrationStore } from "../adapters/store/migration-store.js";
import { tracesWanted } from "../adapters/tracing/wanted.js";
import type { WorkerParts } from "./parts.js";
import { installedWorkflows } from "./workflow-source.js";

export interface PartsOptions {
  readonly dataDir: string;
  /** The worker's own environment: commands get their tools and the spec's secrets from it. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Everything that Towpath's own worker runs. */
export function installedParts(options: PartsOptions): WorkerParts {
  const activities = createActivities({
    dataDir: options.dataDir,
    store: new MigrationStore({ dataDir: options.dataDir }),
    environment: options.env,
    now: () => new Date(),
  });
  return { activities, workflows: installedWorkflows(tracesWanted(options.env)) };
}
