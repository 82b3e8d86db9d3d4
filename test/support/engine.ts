import { randomBytes } from "node:crypto";
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import Docker from "dockerode";
import { execa } from "execa";
import { describe, inject } from "vitest";
import { z } from "zod";

const engine = inject("engine");

export const HAS_REGISTRY = engine !== null && engine.registry !== null;
/** Tests of a real container engine; skipped, by name, where none answers. */
export const describeWithEngine = engine === null ? describe.skip : describe;
/** The same for tests that push to a registry and pull from it. */
export const describeWithRegistry = HAS_REGISTRY ? describe : describe.skip;

const APPLETS =
  "sh ash sleep echo cat ls id touch true false env kill tail head grep seq sed mkdir rm rmdir cp mv wc date test pwd " +
  "find sort cut tr printf chmod ps yes dd stat du df mount readlink basename dirname ip ifconfig setsid nproc";

export interface ImageContent {
  /** Path → content. */
  readonly files?: Readonly<Record<string, string>>;
  /** Instructions as in a Dockerfile: `LABEL towpath.keep=true`. */
  readonly changes?: readonly string[];
  /** Adds to the root file system below this directory. */
  readonly lay?: (root: string) => Promise<void>;
}

/** The engine that tests use, with what they make in it; everything goes again with `remove`. */
export class TestEngine {
  readonly host = engine?.host ?? "";
  readonly registry = engine?.registry ?? "";
  readonly docker: Docker;
  /** In the names of everything that this test makes. */
  readonly name = `towpath-test-${randomBytes(4).toString("hex")}`;
  readonly #images = new Set<string>();
  readonly #containers = new Set<string>();
  readonly #networks = new Set<string>();

  constructor() {
    this.docker = connect(this.host);
  }

  get env(): Record<string, string> {
    return { DOCKER_HOST: this.host };
  }

  /** A repository of this test's own in the local registry. */
  repository(name = "app"): string {
    return `${this.registry}/${this.name}/${name}`;
  }

  /**
   * Makes an image with busybox and the given files, a different one each time, and gives it a reference.
   * @returns its full id
   */
  async image(reference: string, content: ImageContent = {}): Promise<string> {
    const directory = await mkdtemp(join(tmpdir(), "towpath-image-"));
    try {
      const tar = join(directory, "image.tar");
      const rootFileSystem = join(directory, "root");
      await layRootFileSystem(rootFileSystem, content.files ?? {});
      await content.lay?.(rootFileSystem);
      await execa("tar", ["--create", `--file=${tar}`, "--owner=0", "--group=0", "."], {
        cwd: rootFileSystem,
      });
      const [repo, tag] = splitTag(reference);
      const changes = content.changes === undefined ? {} : { changes: content.changes };
      const stream = await this.docker.importImage(tar, { repo, tag, ...changes });
      await finished(this.docker, stream);
      this.#images.add(reference);
      return await this.imageId(reference);
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  }

  /** Makes an image and pushes it, so that the registry has it under this reference; the engine forgets the tag. */
  async published(reference: string, content: ImageContent = {}): Promise<string> {
    const id = await this.image(reference, content);
    await this.push(reference);
    return id;
  }

  /**
   * Publishes a new image under a reference, and leaves the engine the one that it had under it: it is to find out by
   * pulling.
   * @returns the new one's id
   */
  async publishedNext(reference: string): Promise<string> {
    const current = (await this.hasImage(reference)) ? await this.imageId(reference) : null;
    const id = await this.published(reference);
    await this.docker.getImage(reference).remove({ force: true });
    if (current !== null) await this.tag(current, reference);
    return id;
  }

  async pull(reference: string): Promise<void> {
    await finished(this.docker, await this.docker.pull(reference));
  }

  async push(reference: string): Promise<void> {
    const stream = await this.docker.getImage(reference).push({ authconfig: { username: "", password: "" } });
    await finished(this.docker, stream);
  }

  async tag(source: string, reference: string): Promise<void> {
    const [repo, tag] = splitTag(reference);
    await this.docker.getImage(source).tag({ repo, tag });
    this.#images.add(reference);
  }

  async imageId(reference: string): Promise<string> {
    return (await this.docker.getImage(reference).inspect()).Id;
  }

  async hasImage(name: string): Promise<boolean> {
    try {
      await this.docker.getImage(name).inspect();
      return true;
    } catch (error) {
      if (statusOf(error) === 404) return false;
      throw error;
    }
  }

  /** Makes a container without network; it is not started. */
  async container(
    options: Partial<Docker.ContainerCreateOptions> & { Image: string },
  ): Promise<Docker.Container> {
    const container = await this.docker.createContainer({
      Cmd: ["sleep", "600"],
      HostConfig: { NetworkMode: "none" },
      ...options,
    });
    this.#containers.add(container.id);
    return container;
  }

  /** Ids of the containers that carry these labels, in every state. */
  async containersWith(labels: Readonly<Record<string, string>>): Promise<string[]> {
    const all = await this.docker.listContainers({ all: true });
    return all
      .filter(({ Labels }) => Object.entries(labels).every(([name, value]) => Labels[name] === value))
      .map(({ Id }) => Id);
  }

  /** Makes a network whose containers see one another and this machine. @returns its gateway: this machine's address in it */
  async network(name: string): Promise<string> {
    const network = await this.docker.createNetwork({ Name: name, Driver: "bridge" });
    this.#networks.add(network.id);
    const { IPAM } = NetworkFacts.parse(await network.inspect());
    return IPAM.Config[0].Gateway;
  }

  /** Removes what this test made. */
  async remove(): Promise<void> {
    for (const id of this.#containers)
      await this.#gone(() => this.docker.getContainer(id).remove({ force: true }));
    for (const id of this.#networks) await this.#gone(() => this.docker.getNetwork(id).remove());
    const images = await this.docker.listImages({ all: true });
    for (const image of images) {
      const names = [...(image.RepoTags ?? []), ...(image.RepoDigests ?? [])];
      for (const name of names.filter((each) => each.includes(this.name) || this.#images.has(each)))
        await this.#gone(() => this.docker.getImage(name).remove({ force: true }));
    }
  }

  async #gone(remove: () => Promise<unknown>): Promise<void> {
    try {
      await remove();
    } catch (error) {
      const status = statusOf(error);
      if (status !== 404 && status !== 409) throw error;
    }
  }
}

const NetworkFacts = z.looseObject({
  IPAM: z.looseObject({ Config: z.tuple([z.looseObject({ Gateway: z.string() })]) }),
});

/** dockerode would prefer what is in the environment. */
function connect(host: string): Docker {
  const socketPath = /^unix:\/\/(.+)$/.exec(host)?.[1];
  if (socketPath !== undefined) return new Docker({ socketPath, host: undefined });
  const tcp = /^tcp:\/\/(.+):(\d+)$/.exec(host);
  return new Docker({ host: tcp?.[1] ?? "localhost", port: Number(tcp?.[2] ?? 2375), protocol: "http" });
}

async function layRootFileSystem(directory: string, files: Readonly<Record<string, string>>): Promise<void> {
  const written: Record<string, string> = {
    "etc/passwd": "root:x:0:0:root:/:/bin/sh\nnode:x:1000:1000:node:/:/bin/sh\n",
    // No two images are the same, so that a new one supersedes the old.
    "etc/image-id": randomBytes(16).toString("hex"),
    ...files,
  };
  await mkdir(join(directory, "bin"), { recursive: true });
  await mkdir(join(directory, "tmp"));
  await chmod(join(directory, "tmp"), 0o1777);
  const { stdout: busybox } = await execa("sh", ["-c", "command -v busybox"]);
  await execa("cp", [busybox, join(directory, "bin/busybox")]);
  await execa("sh", [
    "-c",
    `for name in ${APPLETS}; do ln -s busybox "$1/$name"; done`,
    "sh",
    join(directory, "bin"),
  ]);
  for (const [name, text] of Object.entries(written)) {
    await mkdir(dirname(join(directory, name)), { recursive: true });
    await writeFile(join(directory, name), text);
  }
}

function splitTag(reference: string): [repository: string, tag: string] {
  const colon = reference.lastIndexOf(":");
  if (colon <= reference.lastIndexOf("/")) return [reference, "latest"];
  return [reference.slice(0, colon), reference.slice(colon + 1)];
}

const StreamLine = z.looseObject({ error: z.string().optional() });

async function finished(docker: Docker, stream: NodeJS.ReadableStream): Promise<void> {
  const lines = await new Promise<unknown[]>((resolve, reject) => {
    docker.modem.followProgress(stream, (error, output) => (error ? reject(error) : resolve(output)));
  });
  for (const line of lines) {
    const { error } = StreamLine.parse(line);
    if (error !== undefined) throw new Error(error);
  }
}

/** The HTTP status with which the engine refused something. */
export function statusOf(error: unknown): number | undefined {
  return error instanceof Error && "statusCode" in error && typeof error.statusCode === "number"
    ? error.statusCode
    : undefined;
}
