#!/usr/bin/env node
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

// The bundle loads in half the time; code that was only compiled has none. A worker runs from the modules themselves,
// for it shares them with the SDK's.
const bundled = new URL("../dist/cli/main.js", import.meta.url);
const compiled = new URL("../dist/client/main.js", import.meta.url);
if (existsSync(compiled)) {
  const isBundled = process.argv[2] !== "worker" && existsSync(bundled);
  await import((isBundled ? bundled : compiled).href);
} else {
  const clone = fileURLToPath(new URL("..", import.meta.url));
  process.stderr.write(`error: Towpath is not built in ${clone}\nRun \`npm ci && npm run build\` there.\n`);
  process.exitCode = 1;
}
