import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { cp, mkdtemp, readdir, readFile, rename, rm, stat, writeFile, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { bundleCli } from "../../scripts/bundle-cli.mjs";
import { bundleWorkflows } from "../../scripts/bundle-workflows.mjs";

const repository = fileURLToPath(new URL("../..", import.meta.url));

/** Parts of their own, so that tests of the worker process do not depend on what migrations do. */
const TEST_PARTS = `
import { fileURLToPath } from "node:url";
import { activities } from "../fixtures/activities.js";
const bundlePath = fileURLToPath(new URL("../workflow-bundle.js", import.meta.url));
export function installedParts() {
  return { activities, workflows: { bundlePath } };
}
`;

/** Whose workflows and activities the worker runs: those in `test/worker/fixtures`, or Towpath's own. */
export type InstalledParts = "fixtures" | "own";

/**
 * Towpath as it is installed: compiled and bundled. Made once for each state of the sources and kept below node_modules.
 * @returns the path of its `towpath` executable
 */
export async function installation(parts: InstalledParts = "fixtures"): Promise<string> {
  const cache = join(repository, "node_modules", ".cache", "towpath-test");
  const directory = join(cache, `${await sourceDigest()}-${parts}`);
  if (!existsSync(directory)) await build(cache, directory, parts);
  return join(directory, "bin", "towpath.js");
}

async function build(cache: string, directory: string, parts: InstalledParts): Promise<void> {
  await mkdir(cache, { recursive: true });
  await removeOld(cache);
  const fresh = await mkdtemp(join(cache, "build-"));
  const tsc = join(repository, "node_modules", "typescript", "bin", "tsc");
  // Type errors are another check's business; what is needed here is JavaScript.
  const options = ["-p", join(repository, "tsconfig.build.json"), "--outDir", join(fresh, "dist")];
  const compiled = spawnSync(process.execPath, [tsc, ...options], { cwd: repository, encoding: "utf8" });
  if (!existsSync(join(fresh, "dist", "client", "main.js")))
    throw new Error(`tsc made nothing: ${compiled.stdout}${compiled.stderr}`);
  await cp(join(repository, "bin"), join(fresh, "bin"), { recursive: true });
  await cp(join(repository, "package.json"), join(fresh, "package.json"));
  if (parts === "fixtures") await installFixtures(fresh);
  const room = parts === "fixtures" ? ["fixtures", "workflows.js"] : ["workflows", "index.js"];
  const workflowsPath = join(fresh, "dist", ...room);
  await bundleWorkflows(join(fresh, "dist"), workflowsPath);
  await bundleCli(join(fresh, "dist"));
  try {
    await rename(fresh, directory);
  } catch (error) {
    // Another test file was quicker.
    await rm(fresh, { recursive: true, force: true });
    if (!existsSync(directory)) throw error;
  }
}

async function installFixtures(fresh: string): Promise<void> {
  const fixtures = join(repository, "test", "worker", "fixtures");
  await cp(fixtures, join(fresh, "dist", "fixtures"), { recursive: true });
  await writeFile(join(fresh, "dist", "worker", "installed-parts.js"), TEST_PARTS);
}

async function removeOld(cache: string): Promise<void> {
  for (const name of await readdir(cache)) {
    const path = join(cache, name);
    const age = Date.now() - (await stat(path)).mtimeMs;
    if (age > 3_600_000) await rm(path, { recursive: true, force: true });
  }
}

async function sourceDigest(): Promise<string> {
  const bundler = await readFile(join(repository, "scripts", "bundle-cli.mjs"));
  const hash = createHash("sha256").update(TEST_PARTS).update(bundler);
  for (const root of ["src", "bin", "test/worker/fixtures"]) {
    const names = await readdir(join(repository, root), { recursive: true });
    for (const name of names.filter((entry) => /\.[jt]s$/.test(entry)).sort())
      hash.update(name).update(await readFile(join(repository, root, name)));
  }
  return hash.digest("hex").slice(0, 16);
}
