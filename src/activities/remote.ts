import { clonePath, freshClone, remoteRef } from "../adapters/git/clones.js";
import { pushBranch } from "../adapters/git/remote.js";
import { openRepository } from "../adapters/git/repository.js";
import type { Repository } from "../adapters/git/places.js";
import { migrationBranch } from "../model/ids.js";
import type { Manifest } from "../model/manifest.js";
import { isGitUrl } from "../model/source.js";
import type { Host } from "./host.js";

/** Where a source lies on this host, and at which remote: a path is where it is, a URL is cloned. */
export function sourcePlace(
  host: Host,
  source: string,
): { readonly path: string; readonly url: string | null } {
  return isGitUrl(source)
    ? { path: clonePath(host.dataDir, source), url: source }
    : { path: source, url: null };
}

/** The repository of a migration; a remote's clone is made, or brought up to date, first. */
export function openSource(host: Host, manifest: Manifest, signal: AbortSignal): Promise<Repository> {
  const { path, url } = manifest.source_info;
  if (url === undefined) return openRepository(path, signal);
  return freshClone({ dataDir: host.dataDir, url, env: host.environment, signal });
}

/** A name from the spec as it is meant: in a clone, what the remote has under it. */
export async function refInSource(
  manifest: Manifest,
  repo: Repository,
  ref: string,
  signal: AbortSignal,
): Promise<string> {
  return manifest.source_info.url === undefined ? ref : remoteRef(repo, ref, signal);
}

/** Brings the migration's branch to the remote that the source came from; a source of this host's own stays here. */
export async function publishBranch(host: Host, manifest: Manifest, signal: AbortSignal): Promise<void> {
  const { path, url } = manifest.source_info;
  if (url === undefined || manifest.base_commit === undefined) return;
  await pushBranch({
    repo: await openRepository(path, signal),
    url,
    migrationId: manifest.id,
    branch: migrationBranch(manifest.id),
    env: host.environment,
    signal,
  });
}
