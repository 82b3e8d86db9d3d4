import { IncomingMessage } from "node:http";
import type Docker from "dockerode";
import type { z } from "zod";
import { TowpathError } from "../../model/errors.js";
import type { ContainerFacts, ImageFacts } from "../../model/images/snapshot.js";
import {
  type ContainerStatus,
  CreatedContainer,
  DiskUsage,
  type EngineInfo,
  Info,
  InspectedContainer,
  InspectedImage,
  ListedContainers,
  ListedImages,
} from "./answers.js";
import type { Environment } from "./config.js";
import { dockerClient } from "./client.js";
import { type EngineEndpoint, resolveEndpoint } from "./endpoint.js";
import { answered, asAnswer, EngineAnswer, engineFailed } from "./failures.js";

/** An engine that is stopped or swapping answers late; one that hangs must not hold an activity for ever. */
const CALL_LIMIT_MS = 60_000;

export interface InspectedImageFacts {
  /** Full id. */
  readonly id: string;
  /** `repository@sha256:…` */
  readonly digests: readonly string[];
  /** A container of it has them too, unless it was given others. */
  readonly labels: Readonly<Record<string, string>>;
}

/** What a removal came to. */
export type ImageRemoval = "removed" | "gone" | { readonly inUse: string };

/**
 * A container engine: the calls that Towpath makes, with typed answers. Every method throws TowpathError only:
 * `EngineUnreachable` when the engine does not answer, `EngineFailed` or `EngineRefused` with the engine's own words.
 */
export class Engine {
  readonly #docker: Docker;

  constructor(
    readonly endpoint: EngineEndpoint,
    /** Where credentials for registries are looked for. */
    readonly env: Environment,
  ) {
    this.#docker = dockerClient(endpoint);
  }

  /** The engine that an environment names; nothing is sent to it yet. @throws TowpathError `Usage`, `EngineUnreachable` */
  static async of(env: Environment): Promise<Engine> {
    return new Engine(await resolveEndpoint(env), env);
  }

  async info(): Promise<EngineInfo> {
    return this.#ask("tell about itself", Info, () => this.#docker.info());
  }

  async ping(): Promise<void> {
    await this.#call("answer", () => this.#docker.ping());
  }

  async images(): Promise<ImageFacts[]> {
    return this.#ask("list images", ListedImages, (abortSignal) => this.#docker.listImages({ abortSignal }));
  }

  /** In every state; filters differ between engines, so that ours are the only ones. */
  async containers(): Promise<ContainerFacts[]> {
    return this.#ask("list containers", ListedContainers, (abortSignal) =>
      this.#docker.listContainers({ all: true, abortSignal }),
    );
  }

  /** Null where the engine has no such image. */
  async image(name: string): Promise<InspectedImageFacts | null> {
    try {
      const answer = await this.#ask(
        "inspect an image",
        InspectedImage,
        () => this.#docker.getImage(name).inspect(),
        404,
      );
      return { id: answer.Id, digests: answer.RepoDigests, labels: answer.Config?.Labels ?? {} };
    } catch (error) {
      if (answered(error, 404)) return null;
      throw error;
    }
  }

  /** Bytes of all layers on the engine's disk. */
  async layerBytes(): Promise<number> {
    const usage = await this.#ask("tell its disk usage", DiskUsage, () => this.#docker.df());
    return usage.LayersSize ?? 0;
  }

  /** Removes one name of an image, or the image by its id; never by force. */
  async removeImage(name: string): Promise<ImageRemoval> {
    try {
      await this.#call(
        `remove the image ${name}`,
        (abortSignal) => this.#docker.getImage(name).remove({ force: false, abortSignal }),
        404,
        409,
      );
      return "removed";
    } catch (error) {
      if (answered(error, 404)) return "gone";
      if (answered(error, 409)) return { inUse: error.message };
      throw error;
    }
  }

  /**
   * Starts a pull and gives its stream of JSON lines.
   * @throws EngineAnswer for what the engine refuses at once; `EngineUnreachable`
   */
  async pullStream(
    fromImage: string,
    tag: string,
    authconfig: object | null,
    abortSignal: AbortSignal | undefined,
  ): Promise<NodeJS.ReadableStream> {
    const options = { fromImage, tag, ...(abortSignal === undefined ? {} : { abortSignal }) };
    try {
      return await (authconfig === null
        ? this.#docker.createImage(options)
        : this.#docker.createImage(authconfig, options));
    } catch (error) {
      throw asAnswer(error, this.endpoint);
    }
  }

  /** @throws EngineAnswer 404 where the image is missing, 409 where the name is taken */
  async create({ name, ...options }: Docker.ContainerCreateOptions): Promise<string> {
    const create = async (abortSignal: AbortSignal): Promise<Docker.Container> => {
      // dockerode would repeat everything in the address, which engines and proxies log: the secrets of the environment too.
      const request = { _query: { name }, _body: options, abortSignal };
      return this.#docker.createContainer(request);
    };
    const { id: Id } = await this.#call("create a container", create, 404, 409);
    return CreatedContainer.parse({ Id }).Id;
  }

  /** Starting one that runs is fine. @throws EngineAnswer for a container that cannot be started */
  async start(id: string): Promise<void> {
    try {
      await this.#call(
        "start a container",
        (abortSignal) => this.#docker.getContainer(id).start({ abortSignal }),
        304,
        400,
        404,
        409,
        500,
      );
    } catch (error) {
      if (!answered(error, 304)) throw error;
    }
  }

  /** Null where there is none of that id or name. */
  async container(idOrName: string): Promise<ContainerStatus | null> {
    try {
      return await this.#ask(
        "inspect a container",
        InspectedContainer,
        (abortSignal) => this.#docker.getContainer(idOrName).inspect({ abortSignal }),
        404,
      );
    } catch (error) {
      if (answered(error, 404)) return null;
      throw error;
    }
  }

  /** Lets a paused container go on; one that is not paused any more, or gone, is fine. */
  async unpause(id: string): Promise<void> {
    try {
      await this.#call(
        "let a paused container go on",
        (abortSignal) => this.#docker.getContainer(id).unpause({ abortSignal }),
        404,
        409,
        500,
      );
    } catch (error) {
      if (!answered(error, 404, 409, 500)) throw error;
    }
  }

  /** SIGTERM, and SIGKILL after the grace period; one that stands still or is gone is fine. */
  async stop(id: string, graceSeconds: number): Promise<void> {
    const limit = CALL_LIMIT_MS + graceSeconds * 1000;
    try {
      await this.#limited(limit, "stop a container", [304, 404], (abortSignal) =>
        this.#docker.getContainer(id).stop({ t: graceSeconds, abortSignal }),
      );
    } catch (error) {
      if (!answered(error, 304, 404)) throw error;
    }
  }

  /** Ends a container at once; one that stands still or is gone is fine. */
  async kill(id: string): Promise<void> {
    try {
      await this.#call(
        "kill a container",
        (abortSignal) => this.#docker.getContainer(id).kill({ abortSignal }),
        404,
        409,
      );
    } catch (error) {
      if (!answered(error, 404, 409)) throw error;
    }
  }

  /** False where a removal is under way already, or the container runs; one that is gone is fine. */
  async remove(id: string): Promise<boolean> {
    try {
      await this.#call(
        "remove a container",
        (abortSignal) => this.#docker.getContainer(id).remove({ v: true, abortSignal }),
        404,
        409,
      );
      return true;
    } catch (error) {
      if (answered(error, 404)) return true;
      if (answered(error, 409)) return false;
      throw error;
    }
  }

  /** The engine's multiplexed stream of both outputs, from the beginning; it follows until the container ends. */
  async logStream(id: string, follow: boolean, abortSignal: AbortSignal): Promise<NodeJS.ReadableStream> {
    return this.#stream(`/containers/${encodeURIComponent(id)}/logs?`, abortSignal, {
      stdout: true,
      stderr: true,
      follow,
    });
  }

  /** The last lines of both outputs, multiplexed. */
  async logTail(id: string, lines: number): Promise<NodeJS.ReadableStream> {
    return this.#stream(`/containers/${encodeURIComponent(id)}/logs?`, AbortSignal.timeout(CALL_LIMIT_MS), {
      stdout: true,
      stderr: true,
      follow: false,
      tail: lines,
    });
  }

  /** Resolves when the container does not run any more; may never do so when the engine dies. */
  async wait(id: string, abortSignal: AbortSignal): Promise<void> {
    try {
      await this.#docker.getContainer(id).wait({ abortSignal });
    } catch (error) {
      throw asAnswer(error, this.endpoint);
    }
  }

  /** As `logs`, but always as a stream: dockerode collects it where it is not followed. */
  #stream(path: string, abortSignal: AbortSignal, options: object): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      this.#docker.modem.dial(
        {
          path,
          method: "GET",
          isStream: true,
          statusCodes: { 200: true, 404: "no such container", 500: "server error" },
          options: { ...options },
          abortSignal,
        },
        (error, answer) => {
          if (answer instanceof IncomingMessage) resolve(answer);
          else reject(asAnswer(error, this.endpoint));
        },
      );
    });
  }

  async #ask<T>(
    what: string,
    schema: z.ZodType<T>,
    call: (abortSignal: AbortSignal) => Promise<unknown>,
    ...expected: readonly number[]
  ): Promise<T> {
    const answer = schema.safeParse(await this.#call(what, call, ...expected));
    if (answer.success) return answer.data;
    const issue = answer.error.issues[0];
    throw new TowpathError(
      "EngineFailed",
      `The container engine at ${this.endpoint.host} was asked to ${what} and gave an answer that is not understood: ` +
        `${issue?.path.join(".") ?? ""}: ${issue?.message ?? ""}`,
      { cause: answer.error },
    );
  }

  /** @throws EngineAnswer for the expected statuses only */
  #call<T>(
    what: string,
    call: (abortSignal: AbortSignal) => Promise<T>,
    ...expected: readonly number[]
  ): Promise<T> {
    return this.#limited(CALL_LIMIT_MS, what, expected, call);
  }

  async #limited<T>(
    limitMs: number,
    what: string,
    expected: readonly number[],
    call: (abortSignal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const limit = AbortSignal.timeout(limitMs);
    try {
      // Not every call of dockerode takes a signal.
      return await Promise.race([call(limit), rejection(limit)]);
    } catch (error) {
      const answer = asAnswer(error, this.endpoint);
      if (answer instanceof EngineAnswer && expected.includes(answer.status)) throw answer;
      throw engineFailed(what, answer);
    }
  }
}

function rejection(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}
