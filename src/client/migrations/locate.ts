import type { Client } from "@temporalio/client";
import { hostId } from "../../adapters/temporal/host.js";
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

interface RemoteCandidate extends Candidate {
  /** The host that holds it; undefined where its memo does not say. */
  readonly host: string | undefined;
}

/** The server lists the newest first. */
async function remoteCandidates(client: Client, reference: string): Promise<RemoteCandidate[]> {
  const found: RemoteCandidate[] = [];
  try {
    for await (const execution of client.workflow.list({ query: visibilityQuery(reference) })) {
      const { workflowId: id, startTime, memo } = execution;
      const host = typeof memo?.["host"] === "string" ? memo["host"] : undefined;
      found.push({ id, createdAt: startTime.toISOString(), host });
      if (found.length >= MAX_CANDIDATES) break;
    }
    return found;
  } catch (error) {
    throw asTowpathError(error);
  }
}

/**
 * The newest migration of this machine: on a shared Temporal the newest of all may be anybody's. The server is asked
 * as well, because the directory of one that was just started is made a moment later.
 */
async function locateLatest(dataDir: string, client: Client): Promise<string> {
  const [here, everywhere] = await Promise.all([localCandidates(dataDir), remoteCandidates(client, LATEST)]);
  const host = await hostId(dataDir);
  const mine = newest([...here, ...everywhere.filter((candidate) => candidate.host === host)]);
  const found = mine ?? newest(everywhere);
  if (found === null) throw migrationNotFound(LATEST);
  return found.id;
}

/**
 * The id of the migration that a reference means: of those in the data directory and those that the server knows.
 * A full id is taken as it is; what is then done with it finds out whether there is one.
 * @throws TowpathError `MigrationNotFound`, `Usage` where several are meant, `TemporalUnreachable`
 */
export async function locate(reference: string, dataDir: string, client: Client): Promise<string> {
  if (reference === LATEST) return locateLatest(dataDir, client);
  const here = await localCandidates(dataDir);
  if (here.some((candidate) => candidate.id === reference)) return reference;
  const id = matchReference(reference, [...here, ...(await remoteCandidates(client, reference))]);
  if (id !== null) return id;
  // Visibility is behind by a moment: a migration that was just started elsewhere may not be listed yet.
  if (isMigrationId(reference)) return reference;
  throw migrationNotFound(reference);
}
