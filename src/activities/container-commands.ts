import { stat } from "node:fs/promises";
import { join } from "node:path";
import { Context } from "@temporalio/activity";
import type { EngineInfo } from "../adapters/docker/answers.js";
import { Engine } from "../adapters/docker/engine.js";
import { pullImage } from "../adapters/docker/pull.js";
import {
  type ContainerMount,
  type ContainerRequest,
  startContainer,
} from "../adapters/docker/start-container.js";
import { superviseContainer } from "../adapters/docker/supervise-container.js";
import { giveTree, type Owner, ownUser } from "../adapters/machine/ownership.js";
import { CommandLog } from "../adapters/process/command-log.js";
import type { CommandResult } from "../adapters/process/run-command.js";
import { watch } from "../adapters/process/watchdog.js";
import { clearRunState, writeRunState } from "../adapters/run-state/run-state.js";
import { layView, removeView, VIEW_STDIN } from "../adapters/store/view.js";
import { lackOfMemory } from "../model/containers/memory.js";
import type { ContainerSettings } from "../model/containers/settings.js";
import { TowpathError } from "../model/errors.js";
import { parseReference } from "../model/images/reference.js";
import type { PreparedCommand } from "./commands.js";
import { GRACE_SECONDS, identityOfCommand, nameOf, viewPath } from "./containers.js";
import { beatWith } from "./heartbeat.js";
import { type Host, type SpecMigration, worktreePath } from "./host.js";
import { isMissing } from "../model/system-errors.js";

/** For a worker that is root: files then belong to the first ordinary user, as in most images. */
const UNPRIVILEGED: Owner = { uid: 1000, gid: 1000 };

/**
 * Chooses bash as the host does, and ends the command when the container is stopped: as process 1 it would not hear of
 * SIGTERM. What it leaves behind dies with the container.
 */
const WRAPPER = `
if command -v bash >/dev/null 2>&1; then set -- bash -e -o pipefail -c "$1"; else set -- sh -e -c "$1"; fi
"$@" <"$TOWPATH_DIR/${VIEW_STDIN}" &
child=$!
trap 'kill -TERM "$child" 2>/dev/null' TERM INT
wait "$child"; code=$?
while kill -0 "$child" 2>/dev/null; do wait "$child"; code=$?; done
exit "$code"
`;

/** Ends an execution whose container is left to the next one. */
class LeftToSuccessor extends Error {
  override readonly name = "LeftToSuccessor";
}

/**
 * Runs a command in a container of its own, hardened: nothing but the worktree, the attempt's output directory and, read-only,
 * the migration's files. A worker that dies leaves it running; the next one finds it by name and labels, and gets the
 * same output and exit code.
 * @throws TowpathError `ImageNotFound`, `RegistryRefused`, `PullFailed`, `EngineUnreachable`, `EngineRefused`, `EngineFailed`,
 * `ForeignEffect`, `StorageFailed`
 */
export async function runContained(
  host: Host,
  migration: SpecMigration,
  command: PreparedCommand,
  settings: ContainerSettings,
  signal: AbortSignal,
): Promise<CommandResult> {
  const engine = await Engine.of(host.environment);
  const info = await engine.info();
  const request = await requestOf(host, migration, command, settings, info);
  const project = migration.manifest.source_info.path;
  await writeRunState(project, {
    container: request.name,
    image: request.image,
    project_dir: project,
    started_at: host.now().toISOString(),
  });
  let left = false;
  try {
    const result = await carryOut(engine, host, migration, command, request, signal);
    if (command.keepContainer !== true) await discard(engine, host, request);
    return result;
  } catch (error) {
    left = error instanceof LeftToSuccessor;
    throw error;
  } finally {
    if (!left) await clearRunState(project, request.name);
  }
}

async function carryOut(
  engine: Engine,
  host: Host,
  migration: SpecMigration,
  command: PreparedCommand,
  request: ContainerRequest,
  signal: AbortSignal,
): Promise<CommandResult> {
  const started = !(await isDirectory(command.cwd))
    ? { failure: `the working directory ${command.cwd} does not exist` }
    : await startPulling(engine, request, () => prepareFiles(host, migration, command, request), signal);
  const adopted = "id" in started && started.adopted;
  const log = await CommandLog.open(command.logPath, migration.redactor, undefined, adopted);
  try {
    if ("failure" in started) {
      await log.note(`cannot start the command in ${request.image}: ${started.failure}`);
      return await resultOf(log, command, { end: "spawn-failed", exitCode: null, durationMs: 0 });
    }
    return await follow(engine, started.id, log, command, request, signal);
  } finally {
    await log.close();
  }
}

/** The engine would make it, as root. */
async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

/** Starts the container; an image that is not there is pulled. */
async function startPulling(
  engine: Engine,
  request: ContainerRequest,
  prepare: () => Promise<void>,
  signal: AbortSignal,
): Promise<{ readonly id: string; readonly adopted: boolean } | { readonly failure: string }> {
  for (let pulled = false; ; pulled = true) {
    const started = await startContainer(engine, request, prepare);
    if (!("missing" in started)) return started;
    if (pulled) {
      throw new TowpathError(
        "ImageNotFound",
        `The engine has no image ${request.image}, though it pulled it`,
      );
    }
    await pullImage(engine, parseReference(request.image), {
      signal,
      onProgress: (progress) => beatWith({ pulling: request.image, ...progress }),
    });
  }
}

async function follow(
  engine: Engine,
  id: string,
  log: CommandLog,
  command: PreparedCommand,
  request: ContainerRequest,
  signal: AbortSignal,
): Promise<CommandResult> {
  const startedMs = (await engine.container(id))?.startedMs ?? Date.now();
  const spentMs = Math.max(0, Date.now() - startedMs);
  const watchdog = watch({
    timeoutMs: Math.max(1, command.timeoutMs - spentMs),
    idleTimeoutMs: command.idleTimeoutMs ?? undefined,
    signal,
  });
  try {
    const { end, status } = await superviseContainer(engine, id, {
      output: async (bytes) => {
        watchdog.touch();
        await log.push(bytes);
      },
      reached: watchdog.reached,
      detach: () => Context.current().cancellationDetails?.cancelRequested !== true,
      graceSeconds: GRACE_SECONDS,
    });
    if (end === "detached")
      throw new LeftToSuccessor(`the container ${request.name} is left to the next worker`);
    const lack = lackOfMemory(end, status, request.memoryBytes);
    if (lack !== null) await log.note(lack);
    const durationMs = Math.max(0, (status.finishedMs ?? Date.now()) - startedMs);
    return await resultOf(log, command, { end, exitCode: status.exitCode, durationMs });
  } finally {
    watchdog.stop();
  }
}

async function resultOf(
  log: CommandLog,
  command: PreparedCommand,
  outcome: Pick<CommandResult, "end" | "exitCode" | "durationMs">,
): Promise<CommandResult> {
  const excerpt = await log.end();
  return { ...outcome, ...excerpt, signal: null, bytes: log.bytes, logPath: command.logPath, survivors: [] };
}

async function requestOf(
  host: Host,
  migration: SpecMigration,
  command: PreparedCommand,
  settings: ContainerSettings,
  info: EngineInfo,
): Promise<ContainerRequest> {
  const identity = identityOfCommand(host, migration, command.place, command.what);
  const name = nameOf(identity);
  return {
    name,
    identity,
    image: settings.image,
    command: ["sh", "-c", WRAPPER, "towpath", command.script],
    env: command.env,
    workingDirectory: command.cwd,
    user: settings.user === null ? userText(workspaceOwner(info)) : userText(ownerOf(settings.user)),
    mounts: await mountsOf(host, migration, command, name),
    network: settings.network,
    memoryBytes: settings.memoryBytes,
    // An engine refuses more than it has.
    cpus: Math.min(settings.cpus, info.cpus),
    pids: settings.pids,
  };
}

/** The worktree's `.git` file is shown read-only: the host's git follows it, and the repository itself is not shown at all. */
async function mountsOf(
  host: Host,
  migration: SpecMigration,
  command: PreparedCommand,
  name: string,
): Promise<ContainerMount[]> {
  const worktree = worktreePath(host.dataDir, migration.id);
  const link = join(worktree, ".git");
  const hasLink = (await stat(link)).isFile();
  return [
    { path: worktree, readOnly: false },
    ...(hasLink ? [{ path: link, readOnly: true }] : []),
    { path: migration.paths.directory, source: viewPath(host, name), readOnly: true },
    { path: command.outDirectory, readOnly: false },
  ];
}

async function prepareFiles(
  host: Host,
  migration: SpecMigration,
  command: PreparedCommand,
  request: ContainerRequest,
): Promise<void> {
  const view = viewPath(host, request.name);
  await layView({
    paths: migration.paths,
    target: view,
    outDirectory: command.outDirectory,
    stdin: command.stdin ?? null,
  });
  if (ownUser().uid !== 0) return;
  const owner = ownerOf(request.user);
  // Git asks who owns the top of the worktree; what is in it is the container's to change.
  await giveTree(worktreePath(host.dataDir, migration.id), owner, { keepTop: true, except: [".git"] });
  await giveTree(command.outDirectory, owner, { keepTop: false });
  await giveTree(view, owner, { keepTop: false });
}

/** Whoever owns the workspace's files, as the engine counts users. */
function workspaceOwner(info: EngineInfo): Owner {
  // Without root the engine's user 0 is the user who runs it.
  if (info.rootless) return { uid: 0, gid: 0 };
  const own = ownUser();
  return own.uid === 0 ? UNPRIVILEGED : own;
}

function ownerOf(user: string): Owner {
  const [uid = "", gid = uid] = user.split(":");
  return { uid: Number(uid), gid: Number(gid) };
}

function userText({ uid, gid }: Owner): string {
  return `${uid}:${gid}`;
}

async function discard(engine: Engine, host: Host, request: ContainerRequest): Promise<void> {
  const container = await engine.container(request.name);
  if (container !== null) await engine.remove(container.id);
  await removeView(viewPath(host, request.name));
}
