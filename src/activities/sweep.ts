import { Context } from "@temporalio/activity";
import { Engine } from "../adapters/docker/engine.js";
import { findContainers, reapContainers } from "../adapters/docker/reap.js";
import { removeView } from "../adapters/store/view.js";
import { messageOf, TowpathError } from "../model/errors.js";
import { GRACE_SECONDS, viewPath } from "./containers.js";
import type { SweepRequest, SweepResult } from "./engine-contract.js";
import { heartbeating } from "./heartbeat.js";
import type { Host } from "./host.js";

/** Tells whether a workflow is over or unknown; asks whoever knows. */
export type IsOver = (workflowId: string) => Promise<boolean>;

/**
 * Removes this host's containers whose workflow is over or unknown. All workflows are asked for before anything is removed,
 * so that a Temporal that does not answer keeps everything.
 * @throws TowpathError `TemporalUnreachable`
 */
export function sweepOrphans(host: Host, request: SweepRequest): Promise<SweepResult> {
  return heartbeating(async () => {
    const { info } = Context.current();
    return sweep(host, request, info.workflowNamespace ?? info.namespace, isOverInTemporal);
  });
}

/** The same, with the workflows asked for by `isOver`. */
export async function sweep(
  host: Host,
  { hostId, graceMs }: SweepRequest,
  namespace: string,
  isOver: IsOver,
): Promise<SweepResult> {
  const began = host.now().getTime();
  const engine = await Engine.of(host.environment);
  const own = await ownContainers(engine, namespace, hostId);
  if (own === null) return { engine: "unreachable", removed: [], failed: [], kept: 0 };
  const old = own.filter(({ facts }) => facts.createdMs < began - graceMs);
  const orphans = new Set<string>();
  for (const workflowId of new Set(old.map(({ identity }) => identity.workflowId))) {
    if (await isOver(workflowId)) orphans.add(workflowId);
  }
  const chosen = new Set(
    old.filter(({ identity }) => orphans.has(identity.workflowId)).map(({ facts }) => facts.id),
  );
  const reaped = await reapContainers(engine, {
    select: (_identity, { id }) => chosen.has(id),
    graceSeconds: GRACE_SECONDS,
  });
  for (const { name, result } of reaped) if (result !== "failed") await removeView(viewPath(host, name));
  const failed = reaped.filter(({ result }) => result === "failed");
  return {
    engine: "swept",
    removed: reaped.filter(({ result }) => result !== "failed").map(({ name }) => name),
    failed: failed.map(({ name, problem }) => `${name}: ${problem ?? ""}`),
    kept: own.length - chosen.size,
  };
}

/** Null where no engine answers: then nothing can be left in it that matters now. */
async function ownContainers(engine: Engine, namespace: string, hostId: string) {
  try {
    return await findContainers(
      engine,
      (identity) => identity.namespace === namespace && identity.hostId === hostId,
    );
  } catch (error) {
    if (error instanceof TowpathError && error.type === "EngineUnreachable") return null;
    throw error;
  }
}

async function isOverInTemporal(workflowId: string): Promise<boolean> {
  try {
    const { status } = await Context.current().client.workflow.getHandle(workflowId).describe();
    return status.name !== "RUNNING" && status.name !== "PAUSED";
  } catch (error) {
    if (error instanceof Error && error.name === "WorkflowNotFoundError") return true;
    throw new TowpathError(
      "TemporalUnreachable",
      `Cannot ask Temporal about ${workflowId}, so that no container is removed: ${messageOf(error)}`,
      { cause: error },
    );
  }
}
