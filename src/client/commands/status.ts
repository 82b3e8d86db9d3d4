import { z } from "zod";
import { TowpathError } from "../../model/errors.js";
import { isTerminal } from "../../model/manifest.js";
import type { ProgressView } from "../../model/messages.js";
import { Json } from "../../model/json.js";
import type { CommandBody, CommandResult } from "../command.js";
import { dataDirectory } from "../../adapters/store/data-directory.js";
import { readInput } from "../input.js";
import { localProgress } from "../migrations/local-view.js";
import { findLocal, readLocalIfHere } from "../migrations/local.js";
import { migrationNotFound } from "../migrations/reference.js";
import type { ExecutionStatus } from "../migrations/remote.js";
import { withMigration, type MigrationSession } from "../migrations/session.js";
import { renderProgress } from "../render/progress.js";

const Input = z.object({
  arguments: z.tuple([z.string()]),
  options: z.object({ local: z.boolean().default(false) }),
});

interface Answer {
  readonly view: ProgressView;
  /** How Temporal sees the workflow; null where it was not asked, or no longer knows it. */
  readonly execution: ExecutionStatus | null;
  readonly note: string;
}

function result({ view, execution, note }: Answer): CommandResult {
  const text = renderProgress(view, new Date());
  return {
    text: note === "" ? text : `${text}\n\n${note}`,
    data: Json.parse({ ...view, execution: execution?.toLowerCase() ?? null }),
  };
}

/** The server forgets closed workflows after a while; the directory does not. */
async function remembered({ migration, dataDir }: MigrationSession, error: unknown): Promise<Answer> {
  const local = await readLocalIfHere(dataDir, migration.id);
  if (local === null || !(error instanceof TowpathError) || error.type !== "MigrationNotFound") throw error;
  const view = localProgress(local.manifest, local.plan);
  const known = "Temporal does not know this migration (any more): this is what its directory says.";
  return { view, execution: null, note: isTerminal(view.status) ? known : `${known} ${goOn(view)}` };
}

/** A workflow that somebody terminated still answers as it was when it ended. */
function noteOn(view: ProgressView, execution: ExecutionStatus): string {
  if (execution === "RUNNING" || isTerminal(view.status)) return "";
  return `Temporal has ended its workflow (${execution.toLowerCase()}): it goes on no more. ${goOn(view)}`;
}

function goOn({ migrationId }: ProgressView): string {
  return `Go on from there with: towpath recover ${migrationId}`;
}

async function ask(session: MigrationSession): Promise<Answer> {
  try {
    const execution = await session.migration.execution();
    const view = await session.migration.progress();
    return { view, execution, note: noteOn(view, execution) };
  } catch (error) {
    return remembered(session, error);
  }
}

/** `towpath status` */
export const status: CommandBody = async (input, context) => {
  const { arguments: args, options } = readInput(Input, input);
  if (!options.local) return withMigration(args[0], context, async (session) => result(await ask(session)));
  const local = await findLocal(args[0], dataDirectory(context.env));
  if (local === null) throw migrationNotFound(args[0]);
  return result({ view: localProgress(local.manifest, local.plan), execution: null, note: "" });
};
