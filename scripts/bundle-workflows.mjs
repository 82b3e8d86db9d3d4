// Bundles the workflows, so that a worker starts without webpack: once as they are, and once with what traces them.
import { writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { DefaultLogger, bundleWorkflowCode } from "@temporalio/worker";

/**
 * @param dist the directory that src/ was compiled into; the bundles are made there
 * @param workflowsPath the module that exports the workflows
 */
export async function bundleWorkflows(dist, workflowsPath = join(dist, "workflows", "index.js")) {
  const room = join(dist, "workflows");
  const common = {
    workflowsPath,
    failureConverterPath: join(room, "failure-converter.js"),
    preloadModules: [join(room, "shared-modules.js")],
    logger: new DefaultLogger("WARN"),
  };
  const plain = await bundleWorkflowCode(common);
  writeFileSync(join(dist, "workflow-bundle.js"), withoutSources(plain.code));
  if (dirname(workflowsPath) !== room) return;
  const traced = await bundleWorkflowCode({
    ...common,
    workflowInterceptorModules: [join(room, "tracing.js")],
  });
  writeFileSync(join(dist, "workflow-bundle-traced.js"), withoutSources(traced.code));
}

/**
 * Every worker thread holds the bundle with its source map. Of that, stack traces need the places and not the sources,
 * which lie beside it.
 */
function withoutSources(code) {
  const [, script, encoded] =
    /^(.*\/\/# sourceMappingURL=data:application\/json;charset=utf-8;base64,)(\S+)\s*$/s.exec(code) ?? [];
  if (script === undefined) throw new Error("The workflow bundle ends in no source map");
  const { sourcesContent: _, ...map } = JSON.parse(Buffer.from(encoded, "base64").toString());
  return `${script}${Buffer.from(JSON.stringify(map)).toString("base64")}`;
}
