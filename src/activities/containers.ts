import { createHash } from "node:crypto";
import { join } from "node:path";
import { Context } from "@temporalio/activity";
import { Engine } from "../adapters/docker/engine.js";
import { findContainers, reapContainers } from "../adapters/docker/reap.js";
import { clearRunState } from "../adapters/run-state/run-state.js";
import { removeView } from "../adapters/store/view.js";
import {
  type ContainerIdentity,
  containerName,
  identityOf,
  projectIdSource,
} from "../model/containers/labels.js";
import { allGone } from "../model/containers/reaping.js";
import { containerImages } from "../model/containers/settings.js";
import { TowpathError } from "../model/errors.js";
import type { Manifest } from "../model/manifest.js";
import type { CommandPlace } from "./commands.js";
import { type Host, openSpecMigration, type SpecMigration } from "./host.js";

/** Seconds between SIGTERM and SIGKILL. */
export const GRACE_SECONDS = 5;

/** Where a container's view of the migration's files lies. */
export function viewPath(host: Host, container: string): string {
  return join(host.dataDir, "containers", container);
}

/** Who the container of a command is. */
export function identityOfCommand(
  host: Host,
  migration: SpecMigration,
  place: CommandPlace,
  command: string,
): ContainerIdentity {
  const { info } = Context.current();
  const { manifest } = migration;
  const hostId = manifest.host_id ?? "";
  return {
    kind: kindOf(place.owner),
    namespace: info.workflowNamespace ?? info.namespace,
    workflowId: migration.id,
    runId: info.workflowExecution?.runId ?? "",
    stepId: place.owner,
    attempt: place.attempt,
    command,
    projectId: sha256(projectIdSource(manifest.source_info.path, hostId)),
    projectDir: manifest.source_info.path,
    hostId,
    createdAt: host.now().toISOString(),
    secretNames: Object.keys(migration.secrets.values).join(","),
  };
}

function kindOf(owner: string): ContainerIdentity["kind"] {
  if (owner === "setup" || owner === "baseline") return owner;
  return owner.startsWith("gate-") ? "gate" : "step";
}

/** The name of a command's container. */
export function nameOf(identity: ContainerIdentity): string {
  return containerName({
    pathDigest: sha256(identity.projectDir),
    migrationDigest: sha256(identity.workflowId),
    stepId: identity.stepId,
    attempt: identity.attempt,
    command: identity.command,
  });
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/** True when a command of this attempt runs in a container, or ran and has not been asked for its result. */
export async function hasSurvived(
  host: Host,
  migration: SpecMigration,
  place: CommandPlace,
  command: string,
): Promise<boolean> {
  const engine = await Engine.of(host.environment);
  const identity = identityOfCommand(host, migration, place, command);
  const found = await findContainers(
    engine,
    (other, facts) => facts.name === nameOf(identity) && isOf(other, identity) && facts.state !== "created",
  );
  return found.length === 1;
}

function isOf(
  other: ContainerIdentity,
  own: Pick<ContainerIdentity, "namespace" | "workflowId" | "hostId">,
): boolean {
  return (
    other.namespace === own.namespace && other.workflowId === own.workflowId && other.hostId === own.hostId
  );
}

/** Removes the container that a command has ended in; that there is none is fine. */
export async function releaseContainer(
  host: Host,
  migration: SpecMigration,
  place: CommandPlace,
  command: string,
): Promise<void> {
  const identity = identityOfCommand(host, migration, place, command);
  const engine = await Engine.of(host.environment);
  const container = await engine.container(nameOf(identity));
  const own = container === null ? null : identityOf(container.labels);
  if (container !== null && own !== null && isOf(own, identity)) await engine.remove(container.id);
  await removeView(viewPath(host, nameOf(identity)));
}

/** What is left of a migration's containers is ended; for one whose spec cannot be read that is the sweep's business. */
export async function reapLeft(
  host: Host,
  manifest: Manifest,
  keep: KeptCommand | null = null,
): Promise<void> {
  if (manifest.mode !== "spec") return;
  try {
    await reapMigration(host, await openSpecMigration(host, manifest.id), keep);
  } catch (error) {
    if (!(error instanceof TowpathError) || error.type !== "StateCorrupt") throw error;
  }
}

/** A command whose container stays. */
export interface KeptCommand {
  readonly place: CommandPlace;
  readonly command: string;
}

/**
 * Ends and removes every container of a migration; none where its commands run on the host alone.
 * @throws TowpathError `EngineFailed` when one of them cannot be removed; `EngineUnreachable`
 */
async function reapMigration(host: Host, migration: SpecMigration, keep: KeptCommand | null): Promise<void> {
  if (containerImages(migration.spec).length === 0) return;
  const own = identityOfCommand(
    host,
    migration,
    keep?.place ?? { owner: "setup", attempt: 1 },
    keep?.command ?? "",
  );
  const kept = keep === null ? null : nameOf(own);
  const engine = await Engine.of(host.environment);
  const reaped = await reapContainers(engine, {
    select: (identity, facts) => isOf(identity, own) && facts.name !== kept,
    graceSeconds: GRACE_SECONDS,
  });
  for (const { name } of reaped) await removeView(viewPath(host, name));
  if (allGone(reaped)) {
    // A worker that died had no time to take its hint away.
    for (const { name } of reaped) await clearRunState(migration.manifest.source_info.path, name);
    return;
  }
  const failed = reaped.filter(({ result }) => result === "failed");
  throw new TowpathError(
    "EngineFailed",
    `Cannot remove ${failed.map(({ name, problem }) => `${name} (${problem ?? ""})`).join(", ")}`,
  );
}
