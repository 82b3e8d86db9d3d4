import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { cacheDirectory, provisionTemporal } from "../../../src/adapters/temporal/provision.js";
import { clusterBinaries } from "../cluster/binaries.js";
import { type Content, layRoot } from "./root-file-system.js";
import { nodeStandIn, postgresStandIn, serverStandIn, toolsStandIn, uiStandIn } from "./stand-ins.js";

const repository = fileURLToPath(new URL("../../..", import.meta.url));

const STAND_IN_FILES = "test/support/compose";

/** What the worker's image is made from. */
const INPUTS = [
  "Dockerfile",
  "package.json",
  "package-lock.json",
  "bin",
  "deploy",
  "scripts",
  "src",
  STAND_IN_FILES,
];

export const STAND_INS = {
  TOWPATH_POSTGRES_IMAGE: "stand-in/postgres:1",
  TOWPATH_TEMPORAL_IMAGE: "stand-in/temporal:1",
  TOWPATH_TEMPORAL_TOOLS_IMAGE: "stand-in/tools:1",
  TOWPATH_UI_IMAGE: "stand-in/ui:1",
  TOWPATH_WORKER_IMAGE: "stand-in/worker:1",
} as const;

const NODE_IMAGE = "stand-in/node:1";

/** Makes every image of the compose file in an engine: the worker's from the Dockerfile, the others from this machine. */
export async function makeImages(docker: string): Promise<void> {
  const engine = { DOCKER_HOST: docker };
  const binaries = await clusterBinaries(onProgress);
  const cli = await provisionTemporal({ env: process.env, onProgress });
  await standIn(engine, STAND_INS.TOWPATH_POSTGRES_IMAGE, await postgresStandIn(), run("run-postgres"));
  await standIn(engine, STAND_INS.TOWPATH_TEMPORAL_IMAGE, serverStandIn(binaries));
  await standIn(engine, STAND_INS.TOWPATH_TEMPORAL_TOOLS_IMAGE, toolsStandIn(binaries, cli.path));
  await standIn(engine, STAND_INS.TOWPATH_UI_IMAGE, uiStandIn(binaries), run("run-ui"));
  await workerImage(engine);
}

function onProgress(message: string): void {
  console.error(message);
}

function run(file: string): readonly string[] {
  return [`ENTRYPOINT ["${file}"]`];
}

interface Engine {
  readonly DOCKER_HOST: string;
}

async function standIn(
  engine: Engine,
  reference: string,
  content: Content,
  changes: readonly string[] = [],
): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), "towpath-stand-in-"));
  try {
    const root = join(directory, "root");
    await layRoot(root, content);
    const tar = join(directory, "image.tar");
    await execa("tar", ["--create", `--file=${tar}`, "--owner=0", "--group=0", "."], { cwd: root });
    const path = "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    const instructions = [path, ...changes].map((change) => `--change=${change}`);
    await execa("docker", ["import", ...instructions, tar, reference], { env: { ...engine } });
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** Kept in the machine's cache by what it is made from: installing the dependencies takes a minute. */
async function workerImage(engine: Engine): Promise<void> {
  const folder = join(cacheDirectory(process.env), "worker-image");
  const kept = join(folder, `${await digest()}.tar`);
  if (existsSync(kept)) {
    await execa("docker", ["load", `--input=${kept}`], { env: { ...engine } });
    return;
  }
  // Whom this machine trusts, its image has to.
  const trust = ["ENV NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt"];
  await standIn(engine, NODE_IMAGE, nodeStandIn(), trust);
  const reference = STAND_INS.TOWPATH_WORKER_IMAGE;
  const args = ["build", "--network=host", `--build-arg=NODE_IMAGE=${NODE_IMAGE}`, `--tag=${reference}`, "."];
  // The classic builder is in every engine; the other one is a plug-in.
  await execa("docker", args, { cwd: repository, env: { ...engine, DOCKER_BUILDKIT: "0" } });
  await mkdir(folder, { recursive: true, mode: 0o700 });
  for (const name of await readdir(folder)) await rm(join(folder, name));
  const fresh = `${kept}.${process.pid}`;
  await execa("docker", ["save", `--output=${fresh}`, reference], { env: { ...engine } });
  await rename(fresh, kept);
}

async function digest(): Promise<string> {
  const hash = createHash("sha256").update(process.version);
  for (const input of INPUTS) {
    const path = join(repository, input);
    const names =
      input.includes(".") || input === "Dockerfile" ? [""] : await readdir(path, { recursive: true });
    for (const name of names.sort()) {
      const content = await readFile(join(path, name)).catch((error: unknown) => {
        if (error instanceof Error && "code" in error && error.code === "EISDIR") return "";
        throw error;
      });
      hash.update(`${input}/${name}\0`).update(content);
    }
  }
  return hash.digest("hex").slice(0, 16);
}
