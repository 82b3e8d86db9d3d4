import { z } from "zod";
import { CONTAINER_STATES, type ContainerFacts, type ImageFacts } from "../../model/images/snapshot.js";

/** Answers of the engine as Docker (20.10 to 28), its containerd image store and podman give them. */

const Strings = z
  .array(z.string())
  .nullish()
  .transform((list) => (list ?? []).filter((name) => !name.startsWith("<none>")));
const Labels = z
  .record(z.string(), z.string())
  .nullish()
  .transform((labels) => labels ?? {});
/** Podman leaves the algorithm out in places. */
const FullId = z.string().transform((id) => (/^[0-9a-f]{64}$/.test(id) ? `sha256:${id}` : id));
const ContainerId = z.string().min(1);
const Seconds = z.number().transform((seconds) => seconds * 1000);

const ContainerState = z.string().transform((state) => {
  const synonyms: Readonly<Record<string, string>> = { configured: "created", stopped: "exited" };
  const known = synonyms[state] ?? state;
  return CONTAINER_STATES.find((each) => each === known) ?? "unknown";
});

export const ListedImages = z.array(
  z
    .looseObject({
      Id: FullId,
      RepoTags: Strings,
      RepoDigests: Strings,
      Created: Seconds,
      Size: z.number(),
      Labels,
    })
    .transform((image): ImageFacts => ({
      id: image.Id,
      tags: image.RepoTags,
      digests: image.RepoDigests,
      createdMs: image.Created,
      bytes: image.Size,
      labels: image.Labels,
    })),
);

export const ListedContainers = z.array(
  z
    .looseObject({
      Id: ContainerId,
      Names: Strings,
      ImageID: FullId,
      State: ContainerState,
      Labels,
      Created: Seconds,
    })
    .transform((container): ContainerFacts => ({
      id: container.Id,
      name: (container.Names[0] ?? "").replace(/^\//, ""),
      imageId: container.ImageID,
      state: container.State,
      labels: container.Labels,
      createdMs: container.Created,
    })),
);

export const InspectedImage = z.looseObject({
  Id: FullId,
  RepoDigests: Strings,
  Config: z.looseObject({ Labels }).nullish(),
});

/** Go's zero time stands for a moment that has not come. */
const Moment = z.string().transform((text) => {
  const ms = Date.parse(text);
  return Number.isNaN(ms) || ms <= 0 ? null : ms;
});

/** A container as `inspect` shows it. */
export interface ContainerStatus {
  readonly id: string;
  readonly name: string;
  readonly image: string;
  readonly labels: Readonly<Record<string, string>>;
  /** `NAME=value`; may hold secrets. */
  readonly env: readonly string[];
  readonly state: ContainerFacts["state"];
  readonly running: boolean;
  readonly exitCode: number;
  readonly oomKilled: boolean;
  /** What the engine says of a start that failed. */
  readonly error: string;
  /** ms since the epoch; null while it was never started. */
  readonly startedMs: number | null;
  readonly finishedMs: number | null;
}

export const InspectedContainer = z
  .looseObject({
    Id: ContainerId,
    Name: z.string(),
    Config: z.looseObject({ Image: z.string(), Labels, Env: Strings }),
    State: z.looseObject({
      Status: ContainerState,
      Running: z.boolean(),
      ExitCode: z.int(),
      OOMKilled: z.boolean().default(false),
      Error: z.string().default(""),
      StartedAt: Moment,
      FinishedAt: Moment,
    }),
  })
  .transform(({ Id, Name, Config, State }): ContainerStatus => ({
    id: Id,
    name: Name.replace(/^\//, ""),
    image: Config.Image,
    labels: Config.Labels,
    env: Config.Env,
    state: State.Status,
    running: State.Running,
    exitCode: State.ExitCode,
    oomKilled: State.OOMKilled,
    error: State.Error,
    startedMs: State.StartedAt,
    finishedMs: State.FinishedAt,
  }));

export const CreatedContainer = z.looseObject({ Id: ContainerId });

export const DiskUsage = z.looseObject({ LayersSize: z.number().nullish() });

/** What is asked of the engine about itself. */
export interface EngineInfo {
  readonly id: string;
  readonly cpus: number;
  readonly rootDirectory: string;
  /** The engine runs without root: its uid 0 is the user who runs it. */
  readonly rootless: boolean;
}

export const Info = z
  .looseObject({
    ID: z.string().default(""),
    NCPU: z.int().positive(),
    DockerRootDir: z.string().default(""),
    SecurityOptions: Strings,
  })
  .transform((info): EngineInfo => ({
    id: info.ID,
    cpus: info.NCPU,
    rootDirectory: info.DockerRootDir,
    rootless: info.SecurityOptions.some((option) => option.includes("rootless")),
  }));
