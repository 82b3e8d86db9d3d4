import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

/**
 * The command that runs one of Towpath's own modules as a process. Where only its TypeScript source is there (a
 * checkout that was not built), it is run through tsx.
 */
export function nodeEntry(compiled: URL): { readonly command: string; readonly args: readonly string[] } {
  const path = fileURLToPath(compiled);
  if (existsSync(path)) return { command: process.execPath, args: [path] };
  return {
    command: process.execPath,
    args: ["--import", import.meta.resolve("tsx"), path.replace(/\.js$/, ".ts")],
  };
}
