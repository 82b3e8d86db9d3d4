import type { Client } from "@temporalio/client";
import { isMigrationId } from "../../model/ids.js";
import { MIGRATION_WORKFLOW } from "../../workflows/migration.contract.js";
import { asTowpathError } from "./failures.js";
import { localCandidates } from "./local.js";
import { LATEST, matchReference, migrationNotFound, newest, type Candidate } from "./reference.js";

/** As many as an ambiguous beginning needs to be told apart, and then some. */
const MAX_CANDIDATES = 50;

/** Only called with checked references: nothing in them can end the quoted text. */
function visibilityQuery(reference: string): string {
  const type = `WorkflowType = "${MIGRATION_WORKFLOW}"`;
  return reference === LATEST ? type : `${type} AND WorkflowId STARTS_WITH "${reference}"`;
}

/** The server lists the newest first. */
async function remoteCandidates(client: Client, reference: string): Promise<Candidate[]> {
  const found: Candidate[] = [];
  try {
    for await (const { workflowId, startTime } of client.workflow.list({
      query: visibilityQuery(reference),
    })) {
      found.push({ id: workflowId, createdAt: startTime.toISOString() });
      if (found.length >= MAX_CANDIDATES) break;
    }
    return found;
  } catch (error) {
    throw asTowpathError(error);
  }
}

/**
 * The id of the migration that a reference means: of those in the data directory and those that the server knows.
 * A full id is taken as it is; what is then done with it finds out whether there is one.
 * @throws TowpathError `MigrationNotFound`, `Usage` where several are meant, `TemporalUnreachable`
 */
export async function locate(reference: string, dataDir: string, client: Client): Promise<string> {
  const here = await localCandidates(dataDir);
  if (here.some((candidate) => candidate.id === reference)) return reference;
  if (reference === LATEST && here.length > 0) return newest(here)?.id ?? reference;
  const id = matchReference(reference, [...here, ...(await remoteCandidates(client, reference))]);
  if (id !== null) return id;
  // Visibility is behind by a moment: a migration that was just started elsewhere may not be listed yet.
  if (isMigrationId(reference)) return reference;
  throw migrationNotFound(reference);
}
