import { adoptManifest } from "../model/adoption.js";
import type { Manifest } from "../model/manifest.js";
import { PHASES, type Phase, type PhaseStatus } from "../model/phases.js";
import { requireSpec } from "../model/spec/parse.js";
import { statusOf } from "../model/transitions.js";
import type { AdoptMigration, Standing } from "./contract.js";
import { projectPlanFile } from "./decisions.js";
import { type Host, specDigest } from "./host.js";

const ADOPTED_PLAN = "adopted-plan.json";

/**
 * Takes a predecessor's migration over where it stands: what its directory holds stays, and the manifest gets what
 * Towpath needs besides. With a spec the predecessor's plan is kept in `reports/`, for the spec's takes its place.
 */
export async function adoptMigration(host: Host, input: AdoptMigration): Promise<Standing> {
  const { migrationId, operation } = input;
  const spec =
    input.spec === null
      ? null
      : { spec: requireSpec(input.spec.text, input.spec), digest: specDigest(input.spec.text) };
  const plan = await host.store.readArtefact(migrationId, "plan");
  const done = (plan?.steps ?? []).filter(({ status }) => status === "completed").map(({ id }) => id);
  if (spec !== null && plan !== null) await keepPlan(host, migrationId, plan);
  const { manifest } = await host.store.updateManifest(migrationId, operation, (current) => ({
    manifest: adoptManifest(current, { ...input, spec, done }, host.now()),
    result: null,
  }));
  if (input.spec !== null) {
    await host.store.writeSpec(migrationId, input.spec.text);
    await projectPlanFile(host, migrationId);
  }
  const standing = standingOf(manifest);
  await host.store.appendProgress(migrationId, {
    time: host.now().toISOString(),
    agent: input.startedBy,
    phase: standing.phase,
    summary: `Adopted in phase '${standing.phase}'`,
  });
  return standing;
}

/** A second execution finds the first one's: by then the plan in its place may be the spec's. */
async function keepPlan(host: Host, migrationId: string, plan: unknown): Promise<void> {
  if ((await host.store.readDocument(migrationId, "reports", ADOPTED_PLAN)) !== null) return;
  await host.store.writeDocument(migrationId, "reports", ADOPTED_PLAN, `${JSON.stringify(plan, null, 2)}\n`);
}

function standingOf(manifest: Manifest): Standing {
  const phase: Phase = PHASES.find((each) => statusOf(manifest, each) === "in_progress") ?? "understand";
  const status = (each: Phase): PhaseStatus => manifest.phases[each]?.status ?? "pending";
  return {
    phase,
    phases: {
      understand: status("understand"),
      guardrail: status("guardrail"),
      migrate: status("migrate"),
      verify: status("verify"),
    },
  };
}
