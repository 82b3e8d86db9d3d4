import { z } from "zod";
import { hostId } from "../../adapters/temporal/host.js";
import { dataDirectory } from "../../adapters/store/data-directory.js";
import { allGone, type ReapedContainer } from "../../model/containers/reaping.js";
import { TowpathError } from "../../model/errors.js";
import { Json } from "../../model/json.js";
import { stop as stopSignal } from "../../workflows/migration.contract.js";
import type { CommandBody, CommandContext, CommandResult } from "../command.js";
import { EXIT_CODES } from "../errors.js";
import { readInput } from "../input.js";
import { agreed, calledOff, requireYesOrTerminal } from "../confirm.js";
import { locateLocally } from "../migrations/local.js";
import { type MigrationSession, withMigration } from "../migrations/session.js";
import { whoAmI } from "../migrations/who.js";
import { folderOf, type StopPlace, type StopScope } from "../stopping/scope.js";
import { findSessions, reapSessions, type Sessions } from "../stopping/sessions.js";
import { askToStop, type AskedMigration, namespaceOf } from "../stopping/workflows.js";

const Input = z.object({
  arguments: z.tuple([z.string().min(1).optional()]),
  options: z.object({
    reason: z.string().max(4000).default(""),
    yes: z.boolean().default(false),
    all: z.boolean().default(false),
  }),
});
type Options = z.infer<typeof Input>["options"];

/** A step's processes are given seconds to end; a worker that is not there comes back when somebody starts it. */
const WAIT_MS = 30_000;

/** `towpath stop` */
export const stop: CommandBody = async (input, context) => {
  const { arguments: args, options } = readInput(Input, input);
  const [target] = args;
  if (options.all) {
    if (target === undefined) return stopScope({ kind: "all" }, options, context);
    throw new TowpathError("Usage", "--all stops everything: name no folder or migration with it.");
  }
  const project = await folderOf(target, context.cwd);
  if (project !== null) return stopScope({ kind: "folder", project }, options, context);
  return stopMigration(target ?? "", options, context);
};

async function stopMigration(
  reference: string,
  options: Options,
  context: CommandContext,
): Promise<CommandResult> {
  requireYesOrTerminal(options.yes, "stop the migration", context);
  return askingFirst(reference, context, async ({ migration }) => {
    if (!(await agreed(options.yes, consequences([migration.id])))) return calledOff(migration.id);
    await migration.signal(stopSignal, { by: await whoAmI(context.cwd), reason: options.reason });
    const stopped = await migration.ended(WAIT_MS);
    const containers = stopped ? [] : await reapLeft(migration.id, context);
    const text = stopped ? endedText(migration.id) : askedText(migration.id);
    return {
      text: [text, ...containers.map(containerLine)].join("\n"),
      data: Json.parse({ id: migration.id, done: true, stopped, containers }),
    };
  });
}

async function askingFirst(
  reference: string,
  context: CommandContext,
  body: (session: MigrationSession) => Promise<CommandResult>,
): Promise<CommandResult> {
  try {
    return await withMigration(reference, context, body);
  } catch (error) {
    const nobodyAnswers = error instanceof TowpathError && error.type.startsWith("Temporal");
    if (!nobodyAnswers) throw error;
    return reapUnasked(reference, error, context);
  }
}

/** Nobody cleans up in time: the migration's containers end all the same. */
async function reapLeft(id: string, context: CommandContext): Promise<ReapedContainer[]> {
  const dataDir = dataDirectory(context.env);
  const surroundings = { env: context.env, dataDir };
  const place = await placeOf(context, dataDir);
  const scope = { kind: "migration", id } as const;
  const sessions = await findSessions(scope, place, surroundings);
  if (sessions.engineProblem !== null) throw sessions.engineProblem;
  return reapSessions(sessions, scope, place, surroundings);
}

/** With no Temporal to ask, the containers are what can be stopped; that the migration cannot is the error. */
async function reapUnasked(
  reference: string,
  problem: TowpathError,
  context: CommandContext,
): Promise<CommandResult> {
  const id = await locateLocally(reference, dataDirectory(context.env));
  const containers = await reapLeft(id, context);
  if (containers.length === 0) throw problem;
  const migration: AskedMigration = { id, result: "unreachable" };
  return {
    text: [migrationLine(migration), ...containers.map(containerLine)].join("\n"),
    data: Json.parse({ id, done: false, stopped: false, containers }),
    exitCode: EXIT_CODES.unreachable,
  };
}

async function placeOf(context: CommandContext, dataDir: string): Promise<StopPlace> {
  return { hostId: await hostId(dataDir), namespace: namespaceOf(context.env) };
}

async function stopScope(
  scope: StopScope,
  options: Options,
  context: CommandContext,
): Promise<CommandResult> {
  const { env } = context;
  const dataDir = dataDirectory(env);
  const place = await placeOf(context, dataDir);
  const sessions = await findSessions(scope, place, { env, dataDir });
  const ids = sessions.migrations.map(({ id }) => id);
  if (ids.length > 0 && context.interactive && !(await agreed(options.yes, consequences(ids)))) {
    return calledOff(ids.join(", "));
  }
  const by = await whoAmI(context.cwd);
  const migrations = await askToStop(
    ids,
    { by, reason: options.reason },
    { env, dataDir, withinMs: WAIT_MS },
  );
  if (sessions.engineProblem !== null) throw unreachable(sessions.engineProblem, migrations);
  const containers = await reapSessions(sessions, scope, place, { env, dataDir });
  return resultOf(sessions, migrations, containers);
}

/** What could be done is done, and said; that there may be containers left is the error. */
function unreachable(problem: TowpathError, migrations: readonly AskedMigration[]): TowpathError {
  return new TowpathError(
    problem.type,
    [...migrations.map(migrationLine), `${problem.message}\nNo container was stopped.`].join("\n"),
    { cause: problem, details: { migrations } },
  );
}

function resultOf(
  sessions: Sessions,
  migrations: readonly AskedMigration[],
  containers: readonly ReapedContainer[],
): CommandResult {
  const data = Json.parse({ migrations, containers });
  if (sessions.migrations.length + containers.length === 0) return { text: "No active session", data };
  const text = [...migrations.map(migrationLine), ...containers.map(containerLine)].join("\n");
  return allGone(containers) ? { text, data } : { text, data, exitCode: EXIT_CODES.unexpected };
}

function migrationLine({ id, result }: AskedMigration): string {
  if (result === "stopped") return endedText(id);
  if (result === "asked") return askedText(id);
  return `${id} could not be asked to stop, as no Temporal answers: it goes on at the next \`towpath up\`, unless you then stop it.`;
}

function containerLine({ name, result, exitCode, problem }: ReapedContainer): string {
  const code = exitCode === null ? "" : ` (exit code ${exitCode})`;
  if (result === "failed") return `failed to stop container ${name}: ${problem ?? ""}`;
  if (result === "already-gone") return `container ${name} was already gone`;
  return `${result} container ${name}${code}`;
}

function consequences(ids: readonly string[]): string {
  return [
    `${ids.join(", ")} ends, for good: what runs is ended, and its worktree is removed with what is not committed.`,
    "The branch with every completed step, the tags and the evidence stay.",
  ].join("\n");
}

function endedText(id: string): string {
  return `${id} is stopped. Its branch and evidence stay.`;
}

function askedText(id: string): string {
  return `${id} was asked to stop and has not ended within ${WAIT_MS / 1000} s. It ends as soon as a worker has cleaned up; see: towpath status ${id}`;
}
