import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { Engine } from "../../adapters/docker/engine.js";
import { findContainers, reapContainers } from "../../adapters/docker/reap.js";
import { clearRunState, readRunState } from "../../adapters/run-state/run-state.js";
import { MigrationStore } from "../../adapters/store/migration-store.js";
import { removeView } from "../../adapters/store/view.js";
import { allGone, type ReapedContainer } from "../../model/containers/reaping.js";
import { TowpathError } from "../../model/errors.js";
import { isTerminal, type Manifest, MigrationStatus } from "../../model/manifest.js";
import { isInScope, isMigrationInScope, type StopPlace, type StopScope } from "./scope.js";
import { hasCode } from "../../model/system-errors.js";

type Environment = Readonly<Record<string, string | undefined>>;

const GRACE_SECONDS = 10;

/** What runs in a scope: migrations that are not over, and containers in every state. */
export interface Sessions {
  readonly migrations: readonly Manifest[];
  readonly containers: readonly FoundContainer[];
  /** Why the engine could not be asked, though there may be something in it; null where it was. */
  readonly engineProblem: TowpathError | null;
}

export interface FoundContainer {
  readonly id: string;
  readonly name: string;
  readonly workflowId: string;
  readonly projectDir: string;
}

/** Looks for what runs, without changing anything. */
export async function findSessions(
  scope: StopScope,
  place: StopPlace,
  { env, dataDir }: { readonly env: Environment; readonly dataDir: string },
): Promise<Sessions> {
  const listed = await new MigrationStore({ dataDir }).list();
  const migrations = listed.flatMap((entry) =>
    "manifest" in entry && !isOver(entry.manifest) && isMigrationInScope(entry.manifest, scope)
      ? [entry.manifest]
      : [],
  );
  try {
    const found = await findContainers(await Engine.of(env), (identity) => isInScope(identity, scope, place));
    const containers = found.map(({ facts, identity }) => ({
      id: facts.id,
      name: facts.name,
      workflowId: identity.workflowId,
      projectDir: identity.projectDir,
    }));
    return { migrations, containers, engineProblem: null };
  } catch (error) {
    if (!(error instanceof TowpathError) || error.type !== "EngineUnreachable") throw error;
    const matters = await mayHoldContainers(scope, env, dataDir);
    return { migrations, containers: [], engineProblem: matters ? error : null };
  }
}

function isOver({ status }: Manifest): boolean {
  const known = MigrationStatus.safeParse(status);
  return known.success && isTerminal(known.data);
}

/** An engine that nobody set up and that nothing was ever started in need not answer. */
async function mayHoldContainers(scope: StopScope, env: Environment, dataDir: string): Promise<boolean> {
  if (env["DOCKER_HOST"] || env["DOCKER_CONTEXT"]) return true;
  if (scope.kind === "folder" && (await readRunState(scope.project)) !== null) return true;
  try {
    return (await readdir(join(dataDir, "containers"))).length > 0;
  } catch (error) {
    if (hasCode(error, "ENOENT")) return false;
    throw error;
  }
}

/**
 * Ends and removes the containers that are left, by their ids, and proves that they are gone. What a workflow has
 * removed meanwhile counts as stopped. Run states go only when everything is gone.
 * @throws TowpathError `EngineUnreachable`, `EngineFailed`
 */
export async function reapSessions(
  sessions: Sessions,
  scope: StopScope,
  place: StopPlace,
  { env, dataDir }: { readonly env: Environment; readonly dataDir: string },
): Promise<ReapedContainer[]> {
  const reaped =
    sessions.containers.length === 0
      ? []
      : await reapContainers(await Engine.of(env), {
          select: (identity) => isInScope(identity, scope, place),
          graceSeconds: GRACE_SECONDS,
        });
  const ids = new Set(reaped.map(({ id }) => id));
  const gone = sessions.containers
    .filter(({ id }) => !ids.has(id))
    .map(({ id, name, workflowId }): ReapedContainer => {
      return { id, name, workflowId, result: "stopped", exitCode: null, tail: "", problem: null };
    });
  const all = [...reaped, ...gone];
  if (allGone(all)) await forget(all, sessions, scope, dataDir);
  return all;
}

async function forget(
  reaped: readonly ReapedContainer[],
  sessions: Sessions,
  scope: StopScope,
  dataDir: string,
): Promise<void> {
  for (const { name } of reaped) await removeView(join(dataDir, "containers", name));
  const projects = new Set(sessions.containers.map(({ projectDir }) => projectDir));
  if (scope.kind === "folder") projects.add(scope.project);
  for (const project of projects) {
    // One that was copied here with its folder tells of another project, and is none of this one's business.
    if ((await readRunState(project))?.project_dir === project) await clearRunState(project);
  }
}
