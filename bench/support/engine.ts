import { chmod, copyFile, mkdir, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type Docker from "dockerode";
import { execa } from "execa";
import { dockerClient } from "../../src/adapters/docker/client.js";
import { resolveEndpoint } from "../../src/adapters/docker/endpoint.js";
import { pingEngine } from "../../src/adapters/machine/engine-ping.js";

const APPLETS = ["sh", "true", "echo", "kill", "cat"];

/** A container engine with an image of busybox. */
export class BenchEngine {
  private constructor(
    readonly docker: Docker,
    readonly image: string,
  ) {}

  /** @returns why there is none, where none answers or no image can be made */
  static async open(): Promise<BenchEngine | string> {
    const ping = await pingEngine(process.env);
    if (ping === null) return "no container engine was found";
    if (ping.problem !== null) return `no container engine answers: ${ping.problem}`;
    const busybox = await execa("sh", ["-c", "command -v busybox"], { reject: false });
    if (busybox.exitCode !== 0) return "there is no busybox to make an image of (Debian: busybox-static)";
    const docker = dockerClient(await resolveEndpoint(process.env));
    const image = `towpath-bench-${process.pid}:1`;
    await importImage(docker, busybox.stdout, image);
    return new BenchEngine(docker, image);
  }

  /** Create, start, wait and remove, as hardened as a step's container; in ms. */
  async runOnce(): Promise<number> {
    const begun = performance.now();
    const container = await this.docker.createContainer({
      Image: this.image,
      Cmd: ["sh", "-c", "true"],
      User: "1000:1000",
      HostConfig: {
        NetworkMode: "none",
        CapDrop: ["ALL"],
        SecurityOpt: ["no-new-privileges"],
        ReadonlyRootfs: true,
        Tmpfs: { "/tmp": "rw" },
        Memory: 256 * 1024 ** 2,
        PidsLimit: 256,
      },
    });
    await container.start();
    await container.wait();
    await container.remove({ v: true });
    return performance.now() - begun;
  }

  async remove(): Promise<void> {
    await this.docker.getImage(this.image).remove();
  }
}

async function importImage(docker: Docker, busybox: string, image: string): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), "towpath-bench-image-"));
  try {
    const root = join(directory, "root");
    await mkdir(join(root, "bin"), { recursive: true });
    await mkdir(join(root, "tmp"));
    await copyFile(busybox, join(root, "bin/busybox"));
    await chmod(join(root, "bin/busybox"), 0o755);
    for (const applet of APPLETS) await symlink("busybox", join(root, "bin", applet));
    const tar = join(directory, "image.tar");
    await execa("tar", ["--create", `--file=${tar}`, "--owner=0", "--group=0", "."], { cwd: root });
    const [repo = "", tag = ""] = image.split(":");
    const stream = await docker.importImage(tar, { repo, tag });
    await new Promise<void>((resolve, reject) => {
      docker.modem.followProgress(stream, (error) => (error ? reject(error) : resolve()));
    });
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
