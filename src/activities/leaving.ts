import { treeOf } from "../adapters/git/repository.js";
import { resolveCommit, openRepository } from "../adapters/git/repository.js";
import type { Approval, Manifest } from "../model/manifest.js";
import { migrationBranch } from "../model/ids.js";
import { nextPhase } from "../model/phases.js";
import type { AdvanceResult, ApprovalResult, PhaseOperation, RecordApproval } from "./contract.js";
import type { Host } from "./host.js";
import { keepKnownWorktree } from "./known-worktrees.js";

/** Records what a person said of a tree; one that the branch no longer has is not accepted. */
export async function recordApproval(host: Host, input: RecordApproval): Promise<ApprovalResult> {
  const before = await host.store.readManifest(input.migrationId);
  const tree = await branchTree(before);
  if (tree !== input.tree) return { accepted: false, approvedBy: approvers(before, input), tree };
  const exceptions = exceptionsOf(before, input.phase);
  const approval: Approval = {
    phase: input.phase,
    verdict: input.verdict,
    by: input.by,
    at: host.now().toISOString(),
    comment: input.comment,
    tree: input.tree,
    ...(exceptions.length === 0 ? {} : { exceptions: [...exceptions] }),
  };
  const { manifest } = await host.store.updateManifest(input.migrationId, input.operation, (current) => ({
    manifest: { ...current, approvals: [...(current.approvals ?? []), approval] },
    result: null,
  }));
  keepKnownWorktree(host, manifest);
  return { accepted: true, approvedBy: approvers(manifest, input), tree };
}

/** What the phase's gate leaves to a person, in a stable order. */
function exceptionsOf(manifest: Manifest, phase: RecordApproval["phase"]): readonly string[] {
  return [...(manifest.gates?.[phase]?.exceptions ?? [])].sort();
}

/** Everybody who approved this tree in this phase, with just what the gate leaves to them now, each once. */
function approvers(manifest: Manifest, { phase, tree }: Pick<RecordApproval, "phase" | "tree">): string[] {
  const given = (manifest.approvals ?? []).filter(
    (approval) =>
      approval.phase === phase &&
      approval.tree === tree &&
      approval.verdict === "approved" &&
      JSON.stringify(approval.exceptions ?? []) === JSON.stringify(exceptionsOf(manifest, phase)) &&
      approval.superseded !== true,
  );
  return [...new Set(given.map(({ by }) => by))];
}

/**
 * Leaves a phase, in one locked section with its file gate.
 * @param input.tree the tree whose gate was open; null: none was looked at (hands-on)
 * @throws TowpathError `PhaseGate` | `PhaseStatus`
 */
export async function advance(
  host: Host,
  input: PhaseOperation & { by: string; tree: string | null },
): Promise<AdvanceResult> {
  const before = await host.store.readManifest(input.migrationId);
  if (input.tree !== null && (await branchTree(before)) !== input.tree) return { advanced: false };
  const { manifest } = await host.store.advancePhase(
    input.migrationId,
    input.phase,
    input.operation,
    host.now(),
  );
  keepKnownWorktree(host, manifest);
  await host.store.appendProgress(input.migrationId, {
    // The time of the record, so that a second execution writes the same entry.
    time: manifest.phases[input.phase]?.completed_at ?? "",
    agent: input.by,
    phase: input.phase,
    summary: `Phase '${input.phase}' completed`,
  });
  return { advanced: true, next: nextPhase(input.phase) };
}

async function branchTree(manifest: Manifest): Promise<string> {
  const repo = await openRepository(manifest.source_info.path);
  return treeOf(repo, await resolveCommit(repo, `refs/heads/${migrationBranch(manifest.id)}`));
}
