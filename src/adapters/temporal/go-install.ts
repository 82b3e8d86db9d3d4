import { access } from "node:fs/promises";
import { delimiter, isAbsolute, join } from "node:path";
import { provisionInto, runTool, type ProvisionOptions } from "./fetching.js";
import { hasCode } from "../../model/system-errors.js";

/** A cold build takes about 3 minutes on two cores; slow machines and networks get ten times that. */
const BUILD_LIMIT_MS = 30 * 60_000;

/**
 * Builds the Temporal CLI with Go, where Go is.
 * @returns null when the binary is at its target, else why not
 */
export async function installWithGo(options: ProvisionOptions): Promise<string | null> {
  const go = await goOnPath(options.env.PATH ?? "");
  if (go === null) return "no go on PATH";
  options.onProgress?.("building the Temporal server with Go (about 3 minutes, once)…");
  return provisionInto(options.target, async (directory) => {
    const failure = await runTool({
      command: go,
      args: ["install", `github.com/temporalio/cli/cmd/temporal@v${options.version}`],
      env: { ...options.env, GOBIN: directory, CGO_ENABLED: "0" },
      timeoutMs: BUILD_LIMIT_MS,
    });
    return failure === null ? { made: join(directory, "temporal") } : { failure };
  });
}

async function goOnPath(path: string): Promise<string | null> {
  for (const directory of path.split(delimiter).filter(isAbsolute)) {
    try {
      await access(join(directory, "go"));
      return join(directory, "go");
    } catch (error) {
      if (!hasCode(error, "ENOENT") && !hasCode(error, "ENOTDIR")) throw error;
    }
  }
  return null;
}
