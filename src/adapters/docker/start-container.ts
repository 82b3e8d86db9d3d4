import type Docker from "dockerode";
import { TowpathError } from "../../model/errors.js";
import { type ContainerIdentity, identityOf, labelsOf, sameCommand } from "../../model/containers/labels.js";
import type { ContainerStatus } from "./answers.js";
import type { Engine } from "./engine.js";
import { answered, EngineAnswer, engineFailed } from "./failures.js";

export interface ContainerMount {
  /** Absolute path on the engine's machine, and in the container as well. */
  readonly path: string;
  /** What is shown there; `path` itself by default. */
  readonly source?: string;
  readonly readOnly: boolean;
}

/** A container that runs one command, hardened. */
export interface ContainerRequest {
  readonly name: string;
  readonly identity: ContainerIdentity;
  readonly image: string;
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly workingDirectory: string;
  /** `uid:gid` */
  readonly user: string;
  readonly mounts: readonly ContainerMount[];
  readonly network: string;
  readonly memoryBytes: number;
  readonly cpus: number;
  readonly pids: number;
}

/** What became of making a container. */
export type Started =
  | { readonly id: string; readonly adopted: boolean }
  /** The engine does not have the image. */
  | { readonly missing: "image" }
  /** The engine cannot run the command in it; its words. */
  | { readonly failure: string };

/**
 * The container of a request, running or ended: made and started, or found. Of any number of callers one makes it.
 * @throws TowpathError `ForeignEffect` when somebody else's container has the name, `EngineRefused` when the engine
 * does not see this machine's files, `EngineUnreachable`, `EngineFailed`
 */
export async function startContainer(
  engine: Engine,
  request: ContainerRequest,
  /** Makes what the mounts show; not called for a container that is there already. */
  prepare: () => Promise<void>,
): Promise<Started> {
  const known = await engine.container(request.name);
  if (known !== null) return adopt(engine, request, known);
  await prepare();
  let id: string;
  try {
    id = await engine.create(optionsOf(request));
  } catch (error) {
    if (answered(error, 404)) return { missing: "image" };
    if (answered(error, 409)) return adopt(engine, request, await engine.container(request.name));
    throw createFailure(engine, error);
  }
  return start(engine, id, false);
}

/** Only the very container of this command: a name proves nothing. */
async function adopt(
  engine: Engine,
  request: ContainerRequest,
  found: ContainerStatus | null,
): Promise<Started> {
  const identity = found === null ? null : identityOf(found.labels);
  if (found !== null && identity !== null && sameCommand(identity, request.identity)) {
    return found.state === "created" ? start(engine, found.id, false) : { id: found.id, adopted: true };
  }
  throw new TowpathError(
    "ForeignEffect",
    `There is a container ${request.name} that is not this migration's: rename or remove it (docker rm ${request.name}), then retry`,
  );
}

async function start(engine: Engine, id: string, adopted: boolean): Promise<Started> {
  try {
    await engine.start(id);
    return { id, adopted };
  } catch (error) {
    if (!(error instanceof EngineAnswer)) throw error;
    // What could not be started stays behind in state Created.
    await engine.remove(id);
    if (isMountProblem(error)) throw mountFailure(engine, error);
    return { failure: error.message };
  }
}

function createFailure(engine: Engine, error: unknown): unknown {
  if (error instanceof Error && isMountProblem(error)) return mountFailure(engine, error);
  return engineFailed("create a container", error);
}

function isMountProblem(error: Error): boolean {
  return /bind source path does not exist|bind mount|mounts? denied|statfs .*no such file|no such file or directory.*mount/i.test(
    error.message,
  );
}

function mountFailure(engine: Engine, cause: Error): TowpathError {
  return new TowpathError(
    "EngineRefused",
    `The container engine at ${engine.endpoint.host} does not see this machine's files, which steps in containers work ` +
      `on (${cause.message}). Use an engine of this machine, or run a worker on the engine's`,
    { cause },
  );
}

function optionsOf(request: ContainerRequest): Docker.ContainerCreateOptions {
  const [uid = "0", gid = "0"] = request.user.split(":");
  return {
    name: request.name,
    Image: request.image,
    // Replaces the image's own: what runs is the spec's.
    Entrypoint: [...request.command],
    Cmd: [],
    Env: Object.entries(request.env).map(([name, value]) => `${name}=${value}`),
    WorkingDir: request.workingDirectory,
    User: request.user,
    Labels: labelsOf(request.identity),
    StopSignal: "SIGTERM",
    AttachStdout: false,
    AttachStderr: false,
    Tty: false,
    HostConfig: {
      // Exit code and log must outlive the worker.
      AutoRemove: false,
      RestartPolicy: { Name: "no" },
      NetworkMode: request.network,
      CapDrop: ["ALL"],
      SecurityOpt: ["no-new-privileges"],
      Privileged: false,
      ReadonlyRootfs: true,
      // Owned, because an image's own /tmp decides its mode.
      Tmpfs: { "/tmp": `rw,exec,nosuid,nodev,mode=1777,uid=${uid},gid=${gid}` },
      Mounts: request.mounts.map(({ path, source, readOnly }) => ({
        Type: "bind",
        Source: source ?? path,
        Target: path,
        ReadOnly: readOnly,
      })),
      Memory: request.memoryBytes,
      MemorySwap: request.memoryBytes,
      NanoCpus: Math.round(request.cpus * 1e9),
      PidsLimit: request.pids,
      LogConfig: { Type: "json-file", Config: {} },
    },
  };
}
