import { z } from "zod";
import { TowpathError } from "../../model/errors.js";
import { absenceText, type HostAbsence } from "../../model/hosts.js";
import { isTerminal } from "../../model/manifest.js";
import type { ProgressView } from "../../model/messages.js";
import { Json } from "../../model/json.js";
import type { CommandBody, CommandContext, CommandResult } from "../command.js";
import { dataDirectory } from "../../adapters/store/data-directory.js";
import { readInput } from "../input.js";
import { localProgress } from "../migrations/local-view.js";
import { findLocal, readLocalIfHere } from "../migrations/local.js";
import { migrationNotFound } from "../migrations/reference.js";
import { withMigration, type MigrationSession } from "../migrations/session.js";
import { renderProgress } from "../render/progress.js";

const Input = z.object({
  arguments: z.tuple([z.string()]),
  options: z.object({ local: z.boolean().default(false) }),
});

interface Answer {
  readonly view: ProgressView;
  /** Its host is away, so that nothing goes on; null: it is there, or not asked for. */
  readonly absent: HostAbsence | null;
  /** How Temporal sees the workflow; null where it was not asked, or no longer knows it. */
  readonly execution: string | null;
  readonly note: string;
}

function result({ view: told, execution, note, absent }: Answer): CommandResult {
  const view = { ...told, absentHost: absent };
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
  return {
    view,
    execution: null,
    absent: null,
    note: isTerminal(view.status) ? known : `${known} ${goOn(view)}`,
  };
}

/** A workflow that somebody terminated still answers as it was when it ended. */
function noteOn(view: ProgressView, execution: string): string {
  if (execution === "RUNNING" || isTerminal(view.status)) return "";
  return `Temporal has ended its workflow (${execution.toLowerCase()}): it goes on no more. ${goOn(view)}`;
}

function goOn({ migrationId }: ProgressView): string {
  return `Go on from there with: towpath recover ${migrationId}`;
}

/** @throws TowpathError `TemporalUnreachable`, with the host that could answer if no worker at all does */
async function progressOf({ migration, absenceOf }: MigrationSession): Promise<ProgressView> {
  try {
    return await migration.progress();
  } catch (error) {
    if (!(error instanceof TowpathError) || error.type !== "TemporalUnreachable") throw error;
    const hostId = await migration.hostId();
    const absent = hostId === null ? null : await absenceOf(hostId);
    if (absent === null) throw error;
    const message = `${error.message}\nIt waits for its host: ${absenceText(absent)}`;
    throw new TowpathError(error.type, message, { cause: error, details: { ...error.details, absent } });
  }
}

async function ask(session: MigrationSession): Promise<Answer> {
  try {
    const execution = await session.migration.execution();
    const view = await progressOf(session);
    const goesOn = execution === "RUNNING" && !isTerminal(view.status);
    // Asked for anew: the migration itself is told by a worker, and later.
    const absent = goesOn ? await session.absenceOf(view.hostId) : null;
    return { view, execution, note: noteOn(view, execution), absent };
  } catch (error) {
    return remembered(session, error);
  }
}

/** The worker of this machine where it can tell, because that is quicker; else Temporal. */
async function askAnybody(reference: string, context: CommandContext): Promise<Answer> {
  const { workersAnswer } = await import("../migrations/worker-answer.js");
  const told = await workersAnswer(reference, context.env);
  if (told === null) return withMigration(reference, context, ask);
  const { progress: view, execution } = told;
  return { view, execution, note: noteOn(view, execution), absent: null };
}

/** `towpath status` */
export const status: CommandBody = async (input, context) => {
  const { arguments: args, options } = readInput(Input, input);
  if (!options.local) return result(await askAnybody(args[0], context));
  const local = await findLocal(args[0], dataDirectory(context.env));
  if (local === null) throw migrationNotFound(args[0]);
  return result({ view: localProgress(local.manifest, local.plan), execution: null, note: "", absent: null });
};
