import { randomBytes } from "node:crypto";
import { basename, join } from "node:path";
import type { Client, WorkflowHandleWithFirstExecutionRunId } from "@temporalio/client";
import { expect } from "vitest";
import { createActivities } from "../../src/activities/index.js";
import { MigrationStore } from "../../src/adapters/store/migration-store.js";
import { createMigrationId } from "../../src/model/ids.js";
import type { MigrationInput, ProgressView } from "../../src/model/messages.js";
import type { migration } from "../../src/workflows/migration.js";
import * as contract from "../../src/workflows/migration.contract.js";
import { createRepository, temporaryDirectory, type TestRepository } from "./repository.js";
import { headOfPage } from "../../src/client/migrations/launch.js";
import { connectClient, type RunningHost, startHost } from "./temporal.js";

export type MigrationHandle = WorkflowHandleWithFirstExecutionRunId<typeof migration>;

/** A host with a data directory, a worker and a repository, and what a test does with them. */
export interface Workbench {
  readonly client: Client;
  readonly host: RunningHost;
  readonly dataDir: string;
  readonly store: MigrationStore;
  readonly repository: TestRepository;
  /** Starts a migration of the repository; `spec` null is hands-on. */
  start(spec: string | null, input?: Partial<MigrationInput>): Promise<MigrationHandle>;
}

/** Sets a workbench up; everything goes again with `cleanups`, which are run in reverse. */
export async function workbench(
  cleanups: (() => Promise<void>)[],
  files: Readonly<Record<string, string>>,
  environment: NodeJS.ProcessEnv = process.env,
): Promise<Workbench> {
  const directory = await temporaryDirectory(cleanups);
  const dataDir = join(directory, "data");
  const repository = await createRepository(join(directory, "project"), files);
  const store = new MigrationStore({ dataDir });
  const host = await startHost(createActivities({ dataDir, store, environment, now: () => new Date() }));
  cleanups.push(() => host.shutdown());
  const client = await connectClient();
  cleanups.push(() => client.connection.close());
  const start = async (
    spec: string | null,
    input: Partial<MigrationInput> = {},
  ): Promise<MigrationHandle> => {
    const migrationId = createMigrationId({
      now: new Date(),
      codebase: basename(repository.path),
      random: randomBytes(3),
    });
    const whole: MigrationInput = {
      migrationId,
      name: "test",
      target: "next",
      hostId: host.hostId,
      source: repository.path,
      spec: spec === null ? null : { fileName: "towpath.yaml", text: spec },
      params: {},
      manual: false,
      allowHost: true,
      author: { name: "Ada", email: "ada@example.org" },
      startedBy: "ada",
      ...input,
    };
    return await client.workflow.start<typeof migration>(contract.MIGRATION_WORKFLOW, {
      workflowId: migrationId,
      taskQueue: host.workflowQueue,
      args: [whole],
      ...headOfPage(whole),
    });
  };
  return { client, host, dataDir, store, repository, start };
}

/** Runs cleanups in reverse, each even if another fails. */
export async function cleanUp(cleanups: (() => Promise<void>)[]): Promise<void> {
  const failures: unknown[] = [];
  for (const cleanup of cleanups.splice(0).reverse()) {
    await cleanup().catch((error: unknown) => failures.push(error));
  }
  if (failures.length > 0) throw new AggregateError(failures, "a test could not be cleaned up");
}

/** Waits until the migration waits for something of this kind; answers its progress. */
export async function waitingFor(
  handle: MigrationHandle,
  kind: string,
  timeout = 90_000,
): Promise<ProgressView> {
  await expect
    .poll(() => handle.query(contract.progress), { timeout, interval: 30 })
    .toMatchObject({ waiting: { kind } });
  return await handle.query(contract.progress);
}

/** A spec whose `understand` and `guardrail` say the least that their gates take. */
export function specWith(phases: string, more = ""): string {
  return `version: 1
name: test
target: next
${more}
phases:
  understand:
    steps: [{ id: survey, uses: survey }]
${phases}`;
}

/** A `guardrail` phase with one behaviour that always holds. */
export const TRIVIAL_GUARDRAIL = `
  guardrail:
    features: [{ id: stands, description: the repository stands, test: "true" }]
`;
