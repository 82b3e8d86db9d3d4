import { mkdirSync } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { type CommandResult, runCommand } from "../adapters/process/run-command.js";
import { storageFailed } from "../adapters/store/files.js";
import { type ContainerSettings, defaultContainer } from "../model/containers/settings.js";
import { commandEnvironment } from "../model/environment.js";
import { TowpathError } from "../model/errors.js";
import { describeEnd } from "../model/feedback.js";
import type { ExpressionScope } from "../model/spec/references.js";
import { renderScript } from "../model/spec/shell.js";
import { renderEnv } from "../model/spec/templates.js";
import { runContained } from "./container-commands.js";
import type { Host, SpecMigration } from "./host.js";

/** Where the output of a group of commands goes: a step's attempt, the baseline, a gate. */
export interface CommandPlace {
  /** A step's id, `setup`, `baseline`, or `gate-<phase>`. */
  readonly owner: string;
  readonly attempt: number;
}

export interface ScriptRequest {
  readonly place: CommandPlace;
  /** Which command of the place it is: names the log. */
  readonly what: string;
  /** As the spec has it, with its `${{ }}`. */
  readonly script: string;
  readonly scope: ExpressionScope;
  /** As the spec has it, with its `${{ }}`. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly stdin?: string;
  /** Keep what the script writes to stdout, byte for byte, in {@link stdoutFile}. */
  readonly copyStdout?: boolean;
  readonly timeoutMs: number;
  readonly idleTimeoutMs: number | null;
  /** Null: on the host; absent: as the spec's defaults say. */
  readonly container?: ContainerSettings | null;
  /** The container stays until the attempt is over, so that a successor gets the same result from it. */
  readonly keepContainer?: boolean;
}

/** A command with everything filled in that it is run with, wherever that is. */
export interface PreparedCommand {
  readonly place: CommandPlace;
  readonly what: string;
  readonly script: string;
  /** Complete. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly outDirectory: string;
  readonly stdin?: string;
  readonly timeoutMs: number;
  readonly idleTimeoutMs: number | null;
  readonly logPath: string;
  readonly keepContainer?: boolean;
}

export interface ScriptResult extends CommandResult {
  /** Path of the log below the migration's directory. */
  readonly log: string;
}

/** Everything that a migration runs carries this mark, so that a successor can end what a dead worker left. */
export function processMark(migrationId: string): string {
  return `towpath-${migrationId}`;
}

/** The directory that commands of a place may write reports and outputs to: `$TOWPATH_OUT`. */
export function outDirectory(migration: SpecMigration, place: CommandPlace): string {
  return join(migration.paths.out, place.owner, `attempt-${place.attempt}`);
}

/** The file that a step writes its outputs to: `$TOWPATH_OUTPUT`. */
export function outputFile(migration: SpecMigration, place: CommandPlace): string {
  return join(outDirectory(migration, place), ".outputs");
}

/** Where a place's command is copied to that is asked for by `copyStdout`, and what it wrote. */
const COPIED_SCRIPT = ".script";
const COPIED_STDOUT = ".stdout";
const COPYING = `bash -e -o pipefail "$TOWPATH_OUT/${COPIED_SCRIPT}" | tee "$TOWPATH_OUT/${COPIED_STDOUT}"`;

/** What a script wrote to stdout that ran with `copyStdout`. */
export function stdoutFile(migration: SpecMigration, place: CommandPlace): string {
  return join(outDirectory(migration, place), COPIED_STDOUT);
}

async function copyingStdout(migration: SpecMigration, place: CommandPlace, script: string): Promise<string> {
  const path = join(outDirectory(migration, place), COPIED_SCRIPT);
  await orStorageFailed("write", path, () => writeFile(path, script, { mode: 0o600 }));
  return COPYING;
}

/** Makes the place's directory anew: a report of an earlier run must not pass for this one's. */
export async function clearOutDirectory(migration: SpecMigration, place: CommandPlace): Promise<void> {
  const directory = outDirectory(migration, place);
  await orStorageFailed("make the directory", directory, async () => {
    const make = (): string | undefined => mkdirSync(directory, { recursive: true, mode: 0o700 });
    if (make() !== undefined) return;
    await rm(directory, { recursive: true, force: true });
    make();
  });
}

async function orStorageFailed<T>(action: string, path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw storageFailed(action, path, error);
  }
}

/**
 * Runs a script of the spec, in a container or on the host, to its end and with everything that it starts.
 * @throws TowpathError `ConsentRequired` where nobody agreed to running commands on the host,
 * `SecretMissing` where the worker's environment lacks a secret that the spec names; in a container what
 * `runContained` throws
 */
export async function runScript(
  host: Host,
  migration: SpecMigration,
  request: ScriptRequest,
  signal: AbortSignal,
): Promise<ScriptResult> {
  const container = request.container === undefined ? defaultContainer(migration.spec) : request.container;
  expectConsent(migration, container);
  if (migration.secrets.problem !== null) {
    throw new TowpathError(
      "SecretMissing",
      `Cannot run a command: ${migration.secrets.problem}. Set it, restart the worker ('towpath down', then 'towpath up'), and retry`,
    );
  }
  const command = await prepare(host, migration, request, container);
  const result =
    container === null
      ? await runOnHost(migration, command, signal)
      : await runContained(host, migration, command, container, signal);
  return { ...result, log: relative(migration.paths.directory, command.logPath) };
}

/** A container keeps the host from the spec's commands; on the host itself somebody must have agreed to them. */
function expectConsent({ manifest }: SpecMigration, container: ContainerSettings | null): void {
  if (container !== null || manifest.allow_host === true) return;
  throw new TowpathError(
    "ConsentRequired",
    "The spec runs commands on this host, and nobody has agreed to that: start the migration with --allow-host",
  );
}

async function prepare(
  host: Host,
  migration: SpecMigration,
  request: ScriptRequest,
  container: ContainerSettings | null,
): Promise<PreparedCommand> {
  const { place, what, scope, cwd, stdin, timeoutMs, idleTimeoutMs, keepContainer } = request;
  const rendered = renderScript(request.script, scope);
  const copies = request.copyStdout === true;
  // The container's own things come from its image, not from this host; only /tmp can be written there.
  const [base, own] =
    container === null ? [host.environment, {}] : [{}, { HOME: "/tmp", ...renderEnv(container.env, scope) }];
  return {
    place,
    what,
    script: copies ? await copyingStdout(migration, place, rendered.script) : rendered.script,
    env: commandEnvironment({
      base,
      specEnv: { ...own, ...renderEnv(request.env, scope), ...rendered.env },
      secrets: migration.secrets.values,
      towpath: towpathVariables(migration, place),
    }),
    cwd,
    outDirectory: outDirectory(migration, place),
    ...(stdin === undefined ? {} : { stdin }),
    timeoutMs,
    idleTimeoutMs,
    logPath: join(migration.paths.logs, place.owner, `attempt-${place.attempt}.${what}.log`),
    ...(keepContainer === undefined ? {} : { keepContainer }),
  };
}

function runOnHost(
  migration: SpecMigration,
  command: PreparedCommand,
  signal: AbortSignal,
): Promise<CommandResult> {
  const { script, cwd, env, stdin, timeoutMs, idleTimeoutMs, logPath } = command;
  return runCommand({
    command: { script },
    cwd,
    env,
    ...(stdin === undefined ? {} : { stdin }),
    timeoutMs,
    idleTimeoutMs: idleTimeoutMs ?? undefined,
    logPath,
    redactor: migration.redactor,
    signal,
    mark: processMark(migration.id),
  });
}

function towpathVariables(migration: SpecMigration, place: CommandPlace): Record<string, string> {
  return {
    TOWPATH_MIGRATION_ID: migration.id,
    TOWPATH_STEP: place.owner,
    TOWPATH_ATTEMPT: String(place.attempt),
    TOWPATH_DIR: migration.paths.directory,
    TOWPATH_OUT: outDirectory(migration, place),
    TOWPATH_OUTPUT: outputFile(migration, place),
    ...((migration.manifest.requirements?.sha ?? null) === null
      ? {}
      : { TOWPATH_PRD: migration.paths.requirements }),
  };
}

/** What a command that failed came to, in one line: how it ended and the last line that it wrote and that says something. */
export function failureLine(
  command: string,
  result: ScriptResult,
  limits: Pick<ScriptRequest, "timeoutMs" | "idleTimeoutMs">,
): string {
  const last = lastWords(result.tail || result.head);
  const said = last === "" ? "" : `: ${last.slice(0, 300)}`;
  const { timeoutMs, idleTimeoutMs } = limits;
  const end = describeEnd(result, { timeoutMs, idleTimeoutMs: idleTimeoutMs ?? undefined });
  return `${firstLine(command)} ${end}${said}`;
}

/** Runtimes end with where in their own code they were, and a frame of a stack is no cause. */
const STACK_FRAME = /^(?:at\s.*|Node\.js v\d.*|[)}\]]+)$/;

function lastWords(output: string): string {
  const lines = output.split("\n").map((line) => line.trim());
  const written = lines.filter((line) => line !== "");
  return written.findLast((line) => !STACK_FRAME.test(line)) ?? written.at(-1) ?? "";
}

function firstLine(command: string): string {
  const [first = "", ...rest] = command.trim().split("\n");
  return `\`${first.slice(0, 120)}${rest.length > 0 || first.length > 120 ? " …" : ""}\``;
}
