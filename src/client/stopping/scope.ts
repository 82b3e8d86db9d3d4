import { createHash } from "node:crypto";
import { realpath, stat } from "node:fs/promises";
import path from "node:path";
import { type ContainerIdentity, projectIdSource } from "../../model/containers/labels.js";
import { messageOf, TowpathError } from "../../model/errors.js";
import { isMigrationId } from "../../model/ids.js";
import type { Manifest } from "../../model/manifest.js";
import { LATEST } from "../migrations/reference.js";
import { hasCode } from "../../model/system-errors.js";

/** What is to be stopped: one migration, everything of one project, or everything of this host. */
export type StopScope =
  | { readonly kind: "migration"; readonly id: string }
  | { readonly kind: "folder"; /** Real path. */ readonly project: string }
  | { readonly kind: "all" };

/** Where the stopping happens. */
export interface StopPlace {
  readonly hostId: string;
  /** Temporal's namespace. */
  readonly namespace: string;
}

/**
 * Tells a folder from a migration in what a user typed. A migration's id is always one, whatever lies in the folder.
 * @returns the folder's real path, or null for a migration
 * @throws TowpathError `Usage` for a folder that is not there
 */
export async function folderOf(target: string | undefined, cwd: string): Promise<string | null> {
  if (target !== undefined && (target === LATEST || isMigrationId(target))) return null;
  const written = path.resolve(cwd, target ?? ".");
  const looksLikePath = target === undefined || target.startsWith(".") || target.includes("/");
  try {
    if ((await stat(written)).isDirectory()) return await realpath(written);
  } catch (error) {
    if (!hasCode(error, "ENOENT")) {
      throw new TowpathError("Usage", `Cannot look at ${written}: ${messageOf(error)}`, { cause: error });
    }
  }
  if (!looksLikePath) return null;
  throw new TowpathError("Usage", `${written} is no folder: give a project's folder, or a migration's id`);
}

/** True for containers that the scope takes in: by their labels alone, of this host and namespace. */
export function isInScope(identity: ContainerIdentity, scope: StopScope, place: StopPlace): boolean {
  if (identity.namespace !== place.namespace || identity.hostId !== place.hostId) return false;
  if (scope.kind === "all") return true;
  if (scope.kind === "migration") return identity.workflowId === scope.id;
  return (
    identity.projectId === projectId(scope.project, place.hostId) && identity.projectDir === scope.project
  );
}

/** True for migrations that the scope takes in. */
export function isMigrationInScope(manifest: Manifest, scope: StopScope): boolean {
  if (scope.kind === "migration") return manifest.id === scope.id;
  return scope.kind === "all" || manifest.source_info.path === scope.project;
}

function projectId(project: string, hostId: string): string {
  return createHash("sha256").update(projectIdSource(project, hostId)).digest("hex");
}
