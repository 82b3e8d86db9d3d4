import {
  BASELINE_CATEGORY,
  featureFromSpec,
  featuresFromBaseline,
  verificationCommands,
  verifyBaselineFeatures,
} from "../model/characterisation.js";
import { succeeded } from "../model/command.js";
import type { Feature } from "../model/features.js";
import type { TestIdentity } from "../model/reports/report.js";
import { resolveBaseline, resolvePhase } from "../model/spec/resolve.js";
import { fileName, type Finding, type GateContext, NOTHING, runGateScript } from "./gate-context.js";
import { loadBaseline, type StoredReport } from "./reports.js";

const NAMED = 5;

/**
 * Writes `features.json` from Towpath's own runs: one feature a test of the baseline, or the spec's list, or what a
 * step wrote, each with the result of running its test now.
 */
export async function characterise(context: GateContext): Promise<Finding> {
  const features = await characterisedFeatures(context);
  if (features === null) return NOTHING;
  const { host, migration } = context;
  await host.store.writeArtefact(migration.id, "features", features);
  return {
    refusals: [],
    evidence: [`${features.length} ${features.length === 1 ? "behaviour" : "behaviours"} characterised`],
  };
}

async function characterisedFeatures(context: GateContext): Promise<Feature[] | null> {
  const { host, migration } = context;
  const { features } = resolvePhase(migration.spec, "guardrail");
  if (features === "from-baseline") {
    const baseline = await loadBaseline(host, migration);
    const script = resolveBaseline(migration.spec)?.script ?? "";
    return baseline === null ? [] : featuresFromBaseline(baseline, identityOf(context), script);
  }
  if (features !== null) {
    const tested: Feature[] = [];
    for (const feature of features) {
      tested.push(featureFromSpec(feature, await passes(context, feature.id, [feature.test])));
    }
    return tested;
  }
  return await testWrittenFeatures(context);
}

async function testWrittenFeatures(context: GateContext): Promise<Feature[] | null> {
  const { host, migration } = context;
  const written = await host.store.readArtefact(migration.id, "features");
  if (written === null) return null;
  const tested: Feature[] = [];
  for (const feature of written) {
    const test = feature.characterization_test;
    tested.push({ ...feature, passes: test !== "" && (await passes(context, feature.id, [test])) });
  }
  return tested;
}

/**
 * Runs what shows that each behaviour survived; a behaviour that nothing can show did not.
 * @param excepted tests that a person is asked about by name
 */
export async function verifyFeatures(
  context: GateContext,
  after: StoredReport | null,
  excepted: readonly string[],
): Promise<Finding> {
  const { host, migration, tree } = context;
  const features = (await host.store.readArtefact(migration.id, "features")) ?? [];
  const current = after?.tree === tree ? after.report : null;
  const verified: Feature[] = [];
  for (const feature of verifyBaselineFeatures(features, current, identityOf(context))) {
    if (feature.category === BASELINE_CATEGORY) {
      verified.push(feature);
      continue;
    }
    const commands = verificationCommands(feature);
    verified.push({
      ...feature,
      passes: commands.length > 0 && (await passes(context, feature.id, commands)),
    });
  }
  if (features.length > 0) await host.store.writeArtefact(migration.id, "features", verified);
  const allowed = new Set([...(resolvePhase(migration.spec, "verify").gate.tests?.allow ?? []), ...excepted]);
  const failing = verified.filter((feature) => !feature.passes).map((feature) => feature.id);
  const lost = failing.filter((id) => !allowed.has(id));
  if (lost.length === 0) {
    const passing = verified.length - failing.length;
    return { refusals: [], evidence: [`${passing} of ${verified.length} behaviours verified`] };
  }
  const more = lost.length > NAMED ? `, … and ${lost.length - NAMED} more` : "";
  return {
    refusals: [`${lost.length} features not verified (${lost.slice(0, NAMED).join(", ")}${more})`],
    evidence: [],
  };
}

async function passes(context: GateContext, id: string, commands: readonly string[]): Promise<boolean> {
  for (const [index, command] of commands.entries()) {
    const result = await runGateScript(context, `feature-${fileName(id)}-${index + 1}`, command);
    if (!succeeded(result)) return false;
  }
  return true;
}

/** Features are told apart as the gate behind the migration tells tests apart, so that it finds them again. */
function identityOf({ migration }: GateContext): TestIdentity {
  return resolvePhase(migration.spec, "verify").gate.tests?.identity ?? "classname-and-name";
}
