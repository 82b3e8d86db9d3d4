import { existsSync } from "node:fs";
import { dirname, extname, join } from "node:path";
import type { Logger } from "@temporalio/common";
import { bundleWorkflowCode, type WorkflowBundleOption } from "@temporalio/worker";
import { CODE_ROOT } from "../adapters/installation/build-id.js";
import type { WorkflowSource } from "./parts.js";

/** The bundle that the build made; in a checkout that was not built, the sources. */
export function installedWorkflows(): WorkflowSource {
  const bundlePath = join(CODE_ROOT, "workflow-bundle.js");
  if (existsSync(bundlePath)) return { bundlePath };
  const compiled = join(CODE_ROOT, "workflows", "index.js");
  return { sourcePath: existsSync(compiled) ? compiled : join(CODE_ROOT, "workflows", "index.ts") };
}

/** What `Worker.create` takes. Bundling from sources costs about a second. */
export async function workflowBundle(source: WorkflowSource, logger: Logger): Promise<WorkflowBundleOption> {
  if ("bundlePath" in source) return { codePath: source.bundlePath };
  return bundleWorkflowCode({
    workflowsPath: source.sourcePath,
    failureConverterPath: join(dirname(source.sourcePath), `failure-converter${extname(source.sourcePath)}`),
    logger,
    // Sources import each other by the names that they will have once compiled.
    webpackConfigHook: (config) => ({
      ...config,
      resolve: { ...config.resolve, extensionAlias: { ".js": [".ts", ".js"] } },
    }),
  });
}
