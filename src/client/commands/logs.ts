import { z } from "zod";
import { listLogs, type LogFile } from "../../adapters/logs/logs.js";
import { dataDirectory } from "../../adapters/store/data-directory.js";
import { migrationPaths } from "../../adapters/store/paths.js";
import { TowpathError } from "../../model/errors.js";
import { parseStepId } from "../../model/ids.js";
import type { Json } from "../../model/json.js";
import { stepRecord } from "../../model/steps.js";
import type { CommandBody, CommandContext, CommandResult } from "../command.js";
import { readInput } from "../input.js";
import { findLocal, type LocalMigration } from "../migrations/local.js";
import { followLogs, type OnLog } from "../migrations/log-following.js";
import { LogReader } from "../migrations/log-reading.js";
import { migrationNotFound } from "../migrations/reference.js";
import { interruption } from "../migrations/watching.js";
import { renderLogList } from "../render/logs.js";

const Input = z.object({
  arguments: z.tuple([z.string(), z.string().optional()]),
  options: z.object({
    attempt: z
      .string()
      .regex(/^[1-9]\d{0,8}$/, "expected a number from 1")
      .transform(Number)
      .optional(),
    follow: z.boolean().default(false),
  }),
});

async function localMigration(reference: string, dataDir: string): Promise<LocalMigration> {
  const local = await findLocal(reference, dataDir);
  if (local !== null) return local;
  const { message, details } = migrationNotFound(reference);
  throw new TowpathError(
    "MigrationNotFound",
    `${message} on this machine; logs are kept on the host that runs a migration`,
    { details },
  );
}

function logData(log: LogFile): Json {
  const { step, attempt, what, path, bytes, createdAt, modifiedAt } = log;
  return {
    step,
    attempt,
    what,
    path,
    bytes,
    createdAt: new Date(createdAt).toISOString(),
    modifiedAt: new Date(modifiedAt).toISOString(),
  };
}

function overview(id: string, logs: readonly LogFile[], context: CommandContext): CommandResult {
  return {
    text: renderLogList(id, logs, new Date(), context.columns),
    data: { id, logs: logs.map((log) => logData(log)) },
  };
}

/** Prints each piece, under a header wherever another file goes on. */
function printer(context: CommandContext): OnLog {
  let shown = "";
  return async (log, lines) => {
    const header = shown === log.path ? "" : `==> ${log.step}, attempt ${log.attempt}: ${log.what} <==\n`;
    shown = log.path;
    await context.emit({
      text: header + lines,
      data: { step: log.step, attempt: log.attempt, what: log.what, text: lines },
    });
  };
}

function unknownStep({ manifest }: LocalMigration, step: string, logs: readonly LogFile[]): TowpathError {
  const written = [...new Set(logs.map((log) => log.step))];
  const known =
    written.length === 0 ? "nothing has been written yet" : `there are logs of ${written.join(", ")}`;
  return new TowpathError("StepNotFound", `${manifest.id} has no step ${step}; ${known}`, {
    details: { id: manifest.id, step },
  });
}

/** Commands of these owners are no steps, and write logs all the same. */
function isOwner(local: LocalMigration, step: string): boolean {
  return /^(setup|baseline|gate-[a-z]+)$/.test(step) || stepRecord(local.manifest, step) !== undefined;
}

async function printed(
  id: string,
  step: string,
  logs: readonly LogFile[],
  context: CommandContext,
): Promise<CommandResult> {
  if (context.json) return { text: "", data: { id, step, logs: logs.map((log) => logData(log)) } };
  const print = printer(context);
  for (const log of logs) {
    const reader = new LogReader(log);
    await reader.readOn((lines) => print(log, lines));
    await reader.finish((lines) => print(log, lines));
  }
  const empty = logs.every((log) => log.bytes === 0);
  return { text: empty ? `Nothing has been written for ${step}.` : "", data: null };
}

/** `towpath logs` */
export const logs: CommandBody = async (input, context) => {
  const { arguments: args, options } = readInput(Input, input);
  const dataDir = dataDirectory(context.env);
  const local = await localMigration(args[0], dataDir);
  const { id } = local.manifest;
  const directory = migrationPaths(dataDir, id).logs;
  if (args[1] === undefined) return overview(id, await listLogs(directory), context);
  const step = parseStepId(args[1]);
  const written = await listLogs(directory, step);
  if (written.length === 0 && !isOwner(local, step))
    throw unknownStep(local, step, await listLogs(directory));
  const newest = Math.max(
    1,
    stepRecord(local.manifest, step)?.attempts ?? 0,
    ...written.map((log) => log.attempt),
  );
  const attempt = options.attempt ?? newest;
  if (!options.follow)
    return printed(
      id,
      step,
      written.filter((log) => log.attempt === attempt),
      context,
    );
  const { signal, dispose } = interruption();
  try {
    await followLogs({ dataDir, id, step, attempt }, printer(context), signal);
  } finally {
    dispose();
  }
  return { text: "", data: { id, step, attempt, ended: !signal.aborted } };
};
