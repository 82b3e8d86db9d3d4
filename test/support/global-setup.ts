import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { bundleWorkflowCode, DefaultLogger } from "@temporalio/worker";
import type { TestProject } from "vitest/node";
import { downEmbedded, ensureEmbedded } from "../../src/adapters/temporal/embedded.js";
import { provisionTemporal } from "../../src/adapters/temporal/provision.js";

declare module "vitest" {
  interface ProvidedContext {
    temporalAddress: string;
    temporalUi: string;
    workflowBundle: string;
  }
}

function onProgress(message: string): void {
  console.error(message);
}

/** One server and one workflow bundle for the whole run; each test brings its own task queues. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const directory = await mkdtemp(join(tmpdir(), "towpath-test-"));

  const binary = await provisionTemporal({ env: process.env, onProgress });
  // What the tests start uses the same one, instead of providing it again in each home of their own.
  process.env.TOWPATH_TEMPORAL_CLI = binary.path;
  const server = await ensureEmbedded({
    dataDir: directory,
    env: process.env,
    onProgress,
  });
  const { code } = await bundleWorkflowCode({
    workflowsPath: fileURLToPath(new URL("../../src/workflows/index.ts", import.meta.url)),
    logger: new DefaultLogger("WARN"),
    webpackConfigHook: (config) => ({
      ...config,
      resolve: { ...config.resolve, extensionAlias: { ".js": [".ts", ".js"] } },
    }),
  });
  const workflowBundle = join(directory, "workflow-bundle.js");
  await writeFile(workflowBundle, code);
  project.provide("temporalAddress", server.address);
  project.provide("temporalUi", server.uiAddress);
  project.provide("workflowBundle", workflowBundle);
  return async () => {
    await downEmbedded(directory);
    await rm(directory, { recursive: true, force: true });
  };
}
