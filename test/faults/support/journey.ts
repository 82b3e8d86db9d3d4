import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { MockActivityEnvironment } from "@temporalio/testing";
import { DefaultLogger } from "@temporalio/worker";
import type { MigrationActivities } from "../../../src/activities/contract.js";
import { createActivities } from "../../../src/activities/index.js";
import { MigrationStore } from "../../../src/adapters/store/migration-store.js";
import { createMigrationId } from "../../../src/model/ids.js";
import { needsAnalysis } from "../../../src/model/requirements/decision.js";
import { PHASES } from "../../../src/model/phases.js";
import { createRepository, temporaryDirectory, type TestRepository } from "../../support/repository.js";
import { quietRuntime } from "../../support/temporal.js";
import { type Scene, userSide } from "../invariants.js";

const QUIET = new DefaultLogger("ERROR");

/** Delivers one activity, as often as it likes, and answers its last answer. */
export type Deliver = <T>(
  name: string,
  activity: (activities: MigrationActivities) => Promise<T>,
) => Promise<T>;

/** A data directory and a repository, without Temporal: activities are called as a worker would call them. */
export interface Ground extends Scene {
  readonly id: string;
}

export async function makeGround(
  cleanups: (() => Promise<void>)[],
  files: Readonly<Record<string, string>>,
  at?: string,
): Promise<Ground> {
  quietRuntime();
  const directory = at ?? (await temporaryDirectory(cleanups));
  const repository: TestRepository = await createRepository(join(directory, "project"), files);
  const id = createMigrationId({ now: new Date(), codebase: "project", random: randomBytes(3) });
  return { id, dataDir: join(directory, "data"), repository, before: await userSide(repository) };
}

/** The activities over a store; without one, over the ground's own as a new process would open it. */
export function activitiesOn(
  ground: Ground,
  store: MigrationStore = new MigrationStore({ dataDir: ground.dataDir }),
): MigrationActivities {
  const { dataDir } = ground;
  return createActivities({ dataDir, store, environment: process.env, now: () => new Date() });
}

/** Runs an activity as its n-th execution. */
export async function execute<T>(
  execution: number,
  activities: MigrationActivities,
  activity: (activities: MigrationActivities) => Promise<T>,
): Promise<T> {
  const environment = new MockActivityEnvironment({ attempt: execution }, { logger: QUIET });
  const run: () => Promise<T> = () => activity(activities);
  return await environment.run(run);
}

/** Everything that the workflow asks of a host from the start to the end of a migration that nothing holds up. */
export async function travel(ground: Ground, spec: string, deliver: Deliver): Promise<void> {
  const { id: migrationId } = ground;
  let count = 0;
  const operation = (): string => `op/${(count += 1)}`;
  const created = {
    migrationId,
    operation: operation(),
    name: "fault",
    target: "next",
    hostId: "direct",
    source: ground.repository.path,
    spec: { fileName: "towpath.yaml", text: spec },
    params: {},
    allowHost: true,
    author: { name: "Ada", email: "ada@example.org" },
  };
  await deliver("create", (host) => host.createMigration(created));
  const laid = { migrationId, operation: operation() };
  await deliver("lay-workspace", (host) => host.layWorkspace(laid));
  await deliver("setup", (host) => host.runSetup({ migrationId }));
  const asked = { migrationId, operation: operation(), prd: { sha: null, fresh: false } };
  const decided = await deliver("decide requirements", (host) => host.decideRequirements(asked));
  const generation = { migrationId, operation: operation() };
  if (needsAnalysis(decided.action)) {
    await deliver("generate requirements", (host) => host.generateRequirements(generation));
  }
  const measured = { migrationId, operation: operation() };
  await deliver("baseline", (host) => host.runBaseline(measured));
  for (const phase of PHASES) {
    const begun = { migrationId, phase, operation: operation() };
    await deliver(`start ${phase}`, (host) => host.startPhase(begun));
    const steps = await deliver("next-steps", (host) => host.nextSteps({ migrationId, phase, limit: 50 }));
    for (const step of steps) {
      const attempted = {
        migrationId,
        step: step.id,
        attempt: step.attempts + 1,
        turn: 1,
        operation: operation(),
      };
      await deliver(`step ${step.id}`, (host) => host.attemptStep(attempted));
    }
    const checked = { migrationId, phase, operation: operation() };
    const gate = await deliver(`gate ${phase}`, (host) => host.checkGate(checked));
    const left = { migrationId, phase, operation: operation(), by: "ada", tree: gate.tree };
    await deliver(`leave ${phase}`, (host) => host.advancePhase(left));
  }
  const finished = { migrationId, operation: operation(), status: "completed" as const, reason: "done" };
  await deliver("finish", (host) => host.finishMigration(finished));
}
