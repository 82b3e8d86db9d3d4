import { attemptStep } from "./attempt.js";
import { continueWithSpec } from "./continuation.js";
import type { MigrationActivities } from "./contract.js";
import { beginPhase, nextSteps, recordWaiting, rollback, skip, tolerate } from "./decisions.js";
import { finish } from "./finish.js";
import { generateRequirements } from "./generation.js";
import { checkGate } from "./gates.js";
import type { Host } from "./host.js";
import { advance, recordApproval } from "./leaving.js";
import { createMigration, layWorkspace, runBaseline, runSetup } from "./preparation.js";
import { decideOnRequirements } from "./requirements.js";

/** The activities of a host, bound to its data directory, environment and clock. */
export function createActivities(host: Host): MigrationActivities {
  return {
    createMigration: (input) => createMigration(host, input),
    layWorkspace: (input) => layWorkspace(host, input),
    runSetup: (input) => runSetup(host, input),
    decideRequirements: (input) => decideOnRequirements(host, input),
    generateRequirements: (input) => generateRequirements(host, input),
    runBaseline: (input) => runBaseline(host, input),
    startPhase: (input) => beginPhase(host, input),
    nextSteps: (input) => nextSteps(host, input),
    attemptStep: (input) => attemptStep(host, input),
    tolerateFailure: (input) => tolerate(host, input),
    skipStep: (input) => skip(host, input),
    rollbackTo: (input) => rollback(host, input),
    checkGate: (input) => checkGate(host, input),
    continueWithSpec: (input) => continueWithSpec(host, input),
    recordApproval: (input) => recordApproval(host, input),
    advancePhase: (input) => advance(host, input),
    recordWaiting: (input) => recordWaiting(host, input),
    finishMigration: (input) => finish(host, input),
  };
}
