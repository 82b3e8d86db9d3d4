import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { bundleWorkflowCode, DefaultLogger } from "@temporalio/worker";
import type { TestProject } from "vitest/node";
import { z } from "zod";
import { downEmbedded, ensureEmbedded } from "../../src/adapters/temporal/embedded.js";
import { provisionTemporal } from "../../src/adapters/temporal/provision.js";
import { Cluster } from "./cluster/cluster.js";
import { registerAttributes } from "./cluster/namespaces.js";

/** What the tests that do not bring a server of their own run against: `TOWPATH_TEST_SERVER`. */
const ServerKind = z.enum(["embedded", "cluster"]);
type ServerKind = z.infer<typeof ServerKind>;

declare module "vitest" {
  interface ProvidedContext {
    temporalServer: ServerKind;
    temporalAddress: string;
    temporalUi: string;
    workflowBundle: string;
  }
}

interface RunningServer {
  readonly address: string;
  readonly uiAddress: string;
  end(): Promise<void>;
}

function onProgress(message: string): void {
  console.error(message);
}

/** One server and one workflow bundle for the whole run; each test brings its own task queues. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const kind = ServerKind.parse(process.env.TOWPATH_TEST_SERVER || "embedded");
  const directory = await mkdtemp(join(tmpdir(), "towpath-test-"));

  const binary = await provisionTemporal({ env: process.env, onProgress });
  // What the tests start uses the same one, instead of providing it again in each home of their own.
  process.env.TOWPATH_TEMPORAL_CLI = binary.path;
  const server = kind === "cluster" ? await startCluster() : await startEmbedded(directory);
  const end = async (): Promise<void> => {
    await server.end();
    await rm(directory, { recursive: true, force: true });
  };
  try {
    const workflowBundle = join(directory, "workflow-bundle.js");
    await writeFile(workflowBundle, await bundle());
    project.provide("temporalServer", kind);
    project.provide("temporalAddress", server.address);
    project.provide("temporalUi", server.uiAddress);
    project.provide("workflowBundle", workflowBundle);
    return end;
  } catch (error) {
    // Without an answer nobody ends what was started.
    await end();
    throw error;
  }
}

const workflows = (name: string): string =>
  fileURLToPath(new URL(`../../src/workflows/${name}.ts`, import.meta.url));

async function bundle(): Promise<string> {
  const { code } = await bundleWorkflowCode({
    workflowsPath: workflows("index"),
    failureConverterPath: workflows("failure-converter"),
    preloadModules: [workflows("shared-modules")],
    logger: new DefaultLogger("WARN"),
    webpackConfigHook: (config) => ({
      ...config,
      resolve: { ...config.resolve, extensionAlias: { ".js": [".ts", ".js"] } },
    }),
  });
  return code;
}

async function startEmbedded(dataDir: string): Promise<RunningServer> {
  const { address, uiAddress } = await ensureEmbedded({ dataDir, env: process.env, onProgress });
  return {
    address,
    uiAddress,
    end: async () => {
      await downEmbedded(dataDir);
    },
  };
}

async function startCluster(): Promise<RunningServer> {
  const cluster = await Cluster.start({ onProgress });
  try {
    const uiAddress = await cluster.startUi();
    await registerAttributes({ address: cluster.address, namespace: "default" });
    return { address: cluster.address, uiAddress, end: () => cluster.remove() };
  } catch (error) {
    await cluster.remove();
    throw error;
  }
}
