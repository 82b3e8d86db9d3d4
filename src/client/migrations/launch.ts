import { randomBytes } from "node:crypto";
import { WorkflowExecutionAlreadyStartedError, type Client } from "@temporalio/client";
import { renderStaticDetails } from "../../model/details.js";
import { TowpathError } from "../../model/errors.js";
import { MIGRATION_ID_RANDOM_BYTES, createMigrationId } from "../../model/ids.js";
import { MigrationInput, type RequirementsRequest } from "../../model/messages.js";
import { WORKFLOW_QUEUE } from "../../model/queues.js";
import { repositoryName, type RunKind, SEALED_MEMO, startAttributes } from "../../model/visibility.js";
import { MIGRATION_WORKFLOW } from "../../workflows/migration.contract.js";
import { startPairs } from "../../workflows/search-attributes.js";
import { asTowpathError } from "./failures.js";
import type { PreparedStart } from "./preparation.js";

export interface LaunchOptions {
  readonly hostId: string;
  readonly author: { readonly name: string; readonly email: string };
  readonly startedBy: string;
  readonly manual: boolean;
  readonly prd: RequirementsRequest;
  /** What goes to Temporal is encrypted: then nothing that stays in clear may tell what is migrated. */
  readonly sealed: boolean;
}

/** Stands in ids where the codebase's name would, for ids are stored in clear. */
const SEALED_NAME = "sealed";

/** What of the codebase stands in the migration's id. */
function codebaseName({ source, isRemote }: PreparedStart, sealed: boolean): string {
  if (sealed) return SEALED_NAME;
  return isRemote ? repositoryName(source) : source;
}

function inputOf(prepared: PreparedStart, options: LaunchOptions): MigrationInput {
  const { plan, specFile, source } = prepared;
  const { hostId, author, startedBy, manual, prd, sealed } = options;
  return MigrationInput.parse({
    migrationId: createMigrationId({
      now: new Date(),
      codebase: codebaseName(prepared, sealed),
      random: randomBytes(MIGRATION_ID_RANDOM_BYTES),
    }),
    name: plan.name,
    target: plan.target,
    hostId,
    source,
    spec: specFile === null ? null : { fileName: specFile.fileName, text: specFile.text },
    params: plan.params,
    manual,
    allowHost: plan.host !== "no commands",
    author,
    startedBy,
    prd,
  });
}

/** An answer that got lost does not say whether the workflow runs: the user must be able to find out. */
function notStarted(id: string, error: unknown): TowpathError {
  if (error instanceof WorkflowExecutionAlreadyStartedError) {
    return new TowpathError("MigrationExists", `The migration ${id} exists already: towpath status ${id}`, {
      cause: error,
      details: { id },
    });
  }
  const known = asTowpathError(error);
  if (known.category !== "unreachable") return known;
  return new TowpathError(
    known.type,
    `${known.message}\nThe migration may have been started all the same: see \`towpath status ${id}\` before you start another.`,
    { cause: error, details: { id } },
  );
}

/**
 * Starts the workflow of a migration. Its id is drawn here, once; a start that is sent twice is one migration.
 * @returns the input it runs with
 * @throws TowpathError `MigrationExists`, `TemporalUnreachable`
 */
export async function launch(
  client: Client,
  prepared: PreparedStart,
  options: LaunchOptions,
): Promise<MigrationInput> {
  const input = inputOf(prepared, options);
  await startWorkflow(client, input, { kind: prepared.kind, sealed: options.sealed });
  return input;
}

/** What stands at the head of a migration's page, and never changes. */
export function headOfPage(input: MigrationInput): { staticSummary: string; staticDetails: string } {
  const { name, target, spec } = input;
  return {
    staticSummary: `${name} → ${target}`,
    staticDetails: renderStaticDetails({ ...input, spec: spec?.fileName ?? null }),
  };
}

interface StartOptions {
  readonly kind: RunKind;
  readonly sealed: boolean;
  /** Whether one of the same id that has ended is in the way. */
  readonly reuse?: "REJECT_DUPLICATE" | "ALLOW_DUPLICATE";
}

/**
 * Starts the workflow that an input describes.
 * @throws TowpathError `MigrationExists`, `TemporalUnreachable`
 */
export async function startWorkflow(
  client: Client,
  input: MigrationInput,
  { kind, sealed, reuse = "REJECT_DUPLICATE" }: StartOptions,
): Promise<void> {
  const { migrationId: id, name, target, source, hostId } = input;
  try {
    await client.workflow.start(MIGRATION_WORKFLOW, {
      workflowId: id,
      taskQueue: WORKFLOW_QUEUE,
      workflowIdConflictPolicy: "FAIL",
      workflowIdReusePolicy: reuse,
      args: [input],
      memo: { name, target, source, host: hostId, ...(sealed ? { [SEALED_MEMO]: true } : {}) },
      ...headOfPage(input),
      typedSearchAttributes: startPairs(startAttributes(input, kind, sealed)),
    });
  } catch (error) {
    throw notStarted(id, error);
  }
}
