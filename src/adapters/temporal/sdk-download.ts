import { join } from "node:path";
import { provisionInto, runTool, type ProvisionOptions } from "./fetching.js";
import { nodeEntry } from "../installation/node-entry.js";

const DOWNLOAD_LIMIT_MS = 5 * 60_000;

/**
 * Downloads the Temporal CLI the way the SDK's test environment does.
 * In a process of its own: the SDK has no time limit for it, and would start its runtime in this process, where the
 * worker must set up its own.
 * @returns null when the binary is at its target, else why not
 */
export async function downloadWithSdk(options: ProvisionOptions): Promise<string | null> {
  options.onProgress?.("downloading the Temporal server…");
  return provisionInto(options.target, async (directory) => {
    const version = `v${options.version}`;
    const entry = nodeEntry(new URL("./download-main.js", import.meta.url));
    const failure = await runTool({
      command: entry.command,
      args: [...entry.args, directory, version],
      env: { ...options.env },
      timeoutMs: DOWNLOAD_LIMIT_MS,
    });
    return failure === null ? { made: join(directory, `temporal-${version}`) } : { failure };
  });
}
