import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { WorkflowHandle } from "@temporalio/client";
import { z } from "zod";
import { createMigrationId } from "../../src/model/ids.js";
import type { MigrationInput } from "../../src/model/messages.js";
import { WORKFLOW_QUEUE } from "../../src/model/queues.js";
import type { Home } from "./home.js";

/** Starts a migration by the API, since a hundred processes of the CLI would be what is measured. */
export async function startMigration(
  home: Home,
  project: string,
  more: Partial<MigrationInput> = {},
): Promise<WorkflowHandle> {
  const client = await home.client();
  const input = { ...(await inputOf(home, project)), ...more };
  const options = { workflowId: input.migrationId, taskQueue: WORKFLOW_QUEUE, args: [input] };
  return client.workflow.start("migration", options);
}

async function inputOf(home: Home, source: string): Promise<MigrationInput> {
  const host = JSON.parse(await readFile(join(home.dataDir, "host.json"), "utf8"));
  return {
    migrationId: createMigrationId({ now: new Date(), codebase: source, random: randomBytes(3) }),
    name: "bench",
    target: "next",
    hostId: z.object({ hostId: z.string() }).parse(host).hostId,
    source,
    spec: { fileName: "towpath.yaml", text: await readFile(join(source, "towpath.yaml"), "utf8") },
    params: {},
    manual: false,
    allowHost: true,
    author: { name: "Bench", email: "bench@example.org" },
    startedBy: "bench",
  };
}
