import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath, pathToFileURL } from "node:url";

/**
 * The command that runs one of Towpath's own modules as a process. Where only its TypeScript source is there (a
 * checkout that was not built), it is run through tsx.
 */
export function nodeEntry(compiled: URL): { readonly command: string; readonly args: readonly string[] } {
  const path = fileURLToPath(compiled);
  if (existsSync(path)) return { command: process.execPath, args: [path] };
  return {
    command: process.execPath,
    args: ["--import", tsxLoader(), path.replace(/\.js$/, ".ts")],
  };
}

/** Not by `import.meta.resolve`: what runs tests and bundles modules leaves that out. */
function tsxLoader(): string {
  return pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href;
}
