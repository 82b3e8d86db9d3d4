import { adoptMigration } from "./adoption.js";
import { continueWithSpec } from "./continuation.js";
import type { MigrationActivities } from "./contract.js";
import { beginPhase, nextSteps, recordWaiting, rollback, skip, tolerate } from "./decisions.js";
import type { EngineActivities } from "./engine-contract.js";
import { finish } from "./finish.js";
import { generateRequirements } from "./generation.js";
import { checkGate } from "./gates.js";
import { whileAlive } from "./heartbeat.js";
import type { Host } from "./host.js";
import { refreshImage } from "./images.js";
import { advance, recordApproval } from "./leaving.js";
import { createMigration, layWorkspace, runBaseline, runSetup } from "./preparation.js";
import { decideOnRequirements } from "./requirements.js";
import { attemptSteps } from "./steps-in-turn.js";
import { sweepOrphans } from "./sweep.js";

/** The activities of a host, bound to its data directory, environment and clock. */
export function createActivities(host: Host): MigrationActivities & EngineActivities {
  return {
    createMigration: (input) => whileAlive(() => createMigration(host, input)),
    adoptMigration: (input) => whileAlive(() => adoptMigration(host, input)),
    layWorkspace: (input) => layWorkspace(host, input),
    runSetup: (input) => runSetup(host, input),
    decideRequirements: (input) => decideOnRequirements(host, input),
    generateRequirements: (input) => generateRequirements(host, input),
    runBaseline: (input) => runBaseline(host, input),
    startPhase: (input) => whileAlive(() => beginPhase(host, input)),
    nextSteps: (input) => whileAlive(() => nextSteps(host, input)),
    attemptStep: (input) => attemptSteps(host, input),
    tolerateFailure: (input) => whileAlive(() => tolerate(host, input)),
    skipStep: (input) => whileAlive(() => skip(host, input)),
    rollbackTo: (input) => rollback(host, input),
    continueWithSpec: (input) => continueWithSpec(host, input),
    checkGate: (input) => checkGate(host, input),
    recordApproval: (input) => whileAlive(() => recordApproval(host, input)),
    advancePhase: (input) => whileAlive(() => advance(host, input)),
    recordWaiting: (input) => whileAlive(() => recordWaiting(host, input)),
    finishMigration: (input) => finish(host, input),
    refreshImage: (input) => refreshImage(host, input),
    sweepOrphans: (input) => sweepOrphans(host, input),
  };
}
