// Compiles src/ to dist/, bundles the workflows, so that a worker starts without webpack, and the CLI, so that it starts soon.
import { spawnSync } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { bundleCli } from "./bundle-cli.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
rmSync(`${root}/dist`, { recursive: true, force: true });

const compiled = spawnSync(
  process.execPath,
  [`${root}/node_modules/typescript/bin/tsc`, "-p", "tsconfig.build.json"],
  { cwd: root, stdio: "inherit" },
);
if (compiled.status !== 0) process.exit(compiled.status ?? 1);

// Not before: the bundler is slow to load.
const { bundleWorkflows } = await import("./bundle-workflows.mjs");
await bundleWorkflows(`${root}/dist`);
await bundleCli(`${root}/dist`);

const { codeDigest } = await import("../dist/adapters/installation/build-id.js");
writeFileSync(`${root}/dist/build-id`, `${codeDigest()}\n`);
