import { z } from "zod";
import { buildCommit } from "../adapters/git/commit.js";
import { headDrift, headState } from "../adapters/git/head.js";
import { settleLocks } from "../adapters/git/locks.js";
import type { Worktree } from "../adapters/git/places.js";
import type { Pristine } from "../adapters/git/pristine.js";
import { keepUndoneHead } from "../adapters/git/refs.js";
import { openRepository } from "../adapters/git/repository.js";
import { undo } from "../adapters/git/undo.js";
import { layWorktree } from "../adapters/git/worktree.js";
import { killMarked } from "../adapters/process/run-command.js";
import { requireStanding, type Standing } from "../model/attempts.js";
import { TowpathError } from "../model/errors.js";
import { migrationBranch } from "../model/ids.js";
import { headOf, type Manifest } from "../model/manifest.js";
import { processMark } from "./commands.js";
import { type KeptCommand, reapLeft } from "./containers.js";
import { type Host, type SpecMigration, worktreePath } from "./host.js";
import { forgetWorktree } from "./known-worktrees.js";

/**
 * The migration's worktree, laid anew if somebody deleted it. What a dead worker left running in it is ended first,
 * and its locks are removed.
 * @param keep a command whose container is taken over instead
 */
export async function openWorktree(
  host: Host,
  manifest: Manifest,
  signal: AbortSignal,
  keep: KeptCommand | null = null,
): Promise<Worktree> {
  forgetWorktree(host, manifest.id);
  await killMarked(processMark(manifest.id));
  await reapLeft(host, manifest, keep);
  const repo = await openRepository(manifest.source_info.path, signal);
  const { worktree } = await layWorktree({
    repo,
    path: worktreePath(host.dataDir, manifest.id),
    branch: migrationBranch(manifest.id),
    base: headOf(manifest),
    migrationId: manifest.id,
    signal,
  });
  await settleLocks(worktree, signal);
  return worktree;
}

/**
 * @throws TowpathError `ForeignEffect` when the branch is not where Towpath left it: undoing would destroy the work
 * of whoever moved it
 */
export async function expectUnmovedBranch(
  worktree: Worktree,
  manifest: Manifest,
  signal: AbortSignal,
): Promise<void> {
  const commit = headOf(manifest);
  const drift = headDrift(await headState(worktree, signal), { branch: worktree.branch, commit });
  if (drift === null) return;
  throw new TowpathError(
    "ForeignEffect",
    `Somebody moved the migration's branch: ${drift}. Keep what you need of it under another name, ` +
      `put it back with 'git update-ref refs/heads/${worktree.branch} ${commit}', then retry`,
  );
}

/**
 * Refuses an execution that was delivered so late that a step is at work already.
 * @throws TowpathError `LeaseLost`
 */
export function refuseDuringStep(manifest: Manifest): void {
  requireStanding(manifest, { lease: null, head: headOf(manifest) });
}

/** The guard of an execution: throws `LeaseLost` once the migration does not stand where it left it. */
export function standing(host: Host, migrationId: string, expected: Standing): () => Promise<void> {
  return async () => requireStanding(await host.store.readManifest(migrationId), expected);
}

/**
 * The branch's head with whatever lies uncommitted in the worktree on top of it, as a commit that no branch has yet.
 * Undoing without it would destroy what a person did there.
 */
export async function commitEverything(
  migration: Pick<SpecMigration, "manifest" | "exclude">,
  worktree: Worktree,
  time: Date,
  signal: AbortSignal,
): Promise<{ readonly head: string; readonly everything: string; readonly tree: string }> {
  const { commit } = await headState(worktree, signal);
  const head = commit ?? headOf(migration.manifest);
  const built = await buildCommit({
    worktree,
    base: head,
    exclude: migration.exclude,
    stepId: "set-aside",
    message: "Work that lay uncommitted in the migration's worktree",
    time,
    signal,
  });
  return { head, everything: built.commit, tree: built.tree };
}

const SetAside = z.object({ tag: z.string(), commit: z.string() });

/**
 * Keeps what lies uncommitted in the worktree under a tag. It is recorded first, and by its content: whoever finds the
 * record without the tag makes the tag.
 * @param operation the same for every execution
 * @returns the branch's head
 */
export async function setAside(
  host: Host,
  migration: Pick<SpecMigration, "manifest" | "exclude">,
  worktree: Worktree,
  operation: string,
  signal: AbortSignal,
): Promise<string> {
  const { head, everything, tree } = await commitEverything(migration, worktree, host.now(), signal);
  if (everything === head) return head;
  const { result } = await host.store.updateManifest(
    migration.manifest.id,
    `${operation}/set-aside/${tree}`,
    (current) => {
      const tag = undoneTag(current);
      return {
        manifest: { ...current, undone: [...(current.undone ?? []), tag] },
        result: { tag, commit: everything },
      };
    },
  );
  await keepUndoneHead({ repo: worktree, ...SetAside.parse(result), signal });
  return head;
}

/** The next tag for work that is undone but kept. */
export function undoneTag(manifest: Manifest): string {
  return `${migrationBranch(manifest.id)}/undone/${(manifest.undone?.length ?? 0) + 1}`;
}

/**
 * Brings branch and worktree to where Towpath left them, for a command that is to see just that. A person's work in
 * the worktree is kept under a tag first.
 * @returns what is known of the worktree then
 * @throws TowpathError `ForeignEffect` when somebody moved the branch
 */
export async function cleanWorktree(
  host: Host,
  migration: SpecMigration,
  worktree: Worktree,
  operation: string,
  signal: AbortSignal,
): Promise<Pristine | null> {
  const manifest = await host.store.readManifest(migration.id);
  await expectUnmovedBranch(worktree, manifest, signal);
  const head = headOf(manifest);
  await setAside(host, migration, worktree, operation, signal);
  const guard = standing(host, migration.id, { lease: manifest.lease ?? null, head });
  return undo({ worktree, commit: head, exclude: migration.exclude, guard, signal });
}
