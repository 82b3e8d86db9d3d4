import { existsSync } from "node:fs";
import { dirname, extname, join } from "node:path";
import type { Logger } from "@temporalio/common";
import { bundleWorkflowCode, type WorkflowBundleOption } from "@temporalio/worker";
import { CODE_ROOT } from "../adapters/installation/build-id.js";
import type { WorkflowSource } from "./parts.js";

/**
 * The bundle that the build made; in a checkout that was not built, the sources.
 * @param traced the bundle that traces: the other one does not even hold the code for it
 */
export function installedWorkflows(traced: boolean): WorkflowSource {
  const bundlePath = join(CODE_ROOT, traced ? "workflow-bundle-traced.js" : "workflow-bundle.js");
  if (existsSync(bundlePath)) return { bundlePath };
  const compiled = join(CODE_ROOT, "workflows", "index.js");
  return { sourcePath: existsSync(compiled) ? compiled : join(CODE_ROOT, "workflows", "index.ts"), traced };
}

/** What `Worker.create` takes. Bundling from sources costs about a second. */
export async function workflowBundle(source: WorkflowSource, logger: Logger): Promise<WorkflowBundleOption> {
  if ("bundlePath" in source) return { codePath: source.bundlePath };
  const { sourcePath, traced } = source;
  const beside = (name: string): string => join(dirname(sourcePath), `${name}${extname(sourcePath)}`);
  return bundleWorkflowCode({
    workflowsPath: sourcePath,
    failureConverterPath: beside("failure-converter"),
    preloadModules: [beside("shared-modules")],
    ...(traced ? { workflowInterceptorModules: [beside("tracing")] } : {}),
    logger,
    // Sources import each other by the names that they will have once compiled.
    webpackConfigHook: (config) => ({
      ...config,
      resolve: { ...config.resolve, extensionAlias: { ".js": [".ts", ".js"] } },
    }),
  });
}
