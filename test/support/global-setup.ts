import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { bundleWorkflowCode } from "@temporalio/worker";
import type { TestProject } from "vitest/node";
import { downEmbedded, ensureEmbedded } from "../../src/adapters/temporal/embedded.js";

declare module "vitest" {
  interface ProvidedContext {
    temporalAddress: string;
    workflowBundle: string;
  }
}

/** One server and one workflow bundle for the whole run; each test brings its own task queues. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const directory = await mkdtemp(join(tmpdir(), "towpath-test-"));
  const server = await ensureEmbedded({
    dataDir: directory,
    env: process.env,
    onProgress: (message) => console.error(message),
  });
  const { code } = await bundleWorkflowCode({
    workflowsPath: fileURLToPath(new URL("../../src/workflows/index.ts", import.meta.url)),
    webpackConfigHook: (config) => ({
      ...config,
      resolve: { ...config.resolve, extensionAlias: { ".js": [".ts", ".js"] } },
    }),
  });
  const workflowBundle = join(directory, "workflow-bundle.js");
  await writeFile(workflowBundle, code);
  project.provide("temporalAddress", server.address);
  project.provide("workflowBundle", workflowBundle);
  return async () => {
    await downEmbedded(directory);
    await rm(directory, { recursive: true, force: true });
  };
}
