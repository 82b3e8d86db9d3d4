import { upsertMemo } from "@temporalio/workflow";
import type { MigrationInput } from "../model/messages.js";
import { needsAnalysis, type RequirementsView } from "../model/requirements/decision.js";
import { shortSha } from "../model/requirements/documents.js";
import type { HostActivities } from "./host-activities.js";
import { describeMigration } from "./migration.details.js";
import type { MigrationState } from "./migration.state.js";
import type { Reception } from "./reception.js";

export interface RequirementsParts {
  readonly input: MigrationInput;
  readonly state: MigrationState;
  readonly host: HostActivities;
  readonly reception: Reception;
}

/**
 * Settles which requirements document the migration uses. The decision is one activity's answer, and so the same in every
 * replay; the codebase is analysed only where it says so.
 */
export async function requirementsOf(parts: RequirementsParts): Promise<void> {
  const { input, state, host, reception } = parts;
  const { migrationId } = input;
  const prd = input.prd ?? { sha: null, fresh: false };
  const decision = { migrationId, operation: state.nextOperation("decide-requirements"), prd };
  const decided = await reception.untilDone("Deciding on the requirements document", () =>
    host.long.decideRequirements.executeWithOptions({ summary: "requirements document: decide" }, [decision]),
  );
  show(parts, decided);
  if (!needsAnalysis(decided.action)) return;
  const generation = { migrationId, operation: state.nextOperation("generate-requirements") };
  await reception.untilPrepared("requirements", async () => {
    const result = await host.long.generateRequirements.executeWithOptions(
      { summary: `requirements document: ${decided.action}` },
      [generation],
    );
    if (result.requirements !== null) show(parts, result.requirements);
    return result;
  });
}

function show({ input, state }: RequirementsParts, view: RequirementsView): void {
  state.requirements = view;
  const { action, source, sha } = view;
  upsertMemo({ prd: { action, source, sha: sha === null ? null : shortSha(sha) } });
  describeMigration(input, state);
}
