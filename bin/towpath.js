#!/usr/bin/env node
import { existsSync } from "node:fs";

// The bundle loads in half the time; code that was only compiled has none. A worker runs from the modules themselves,
// for it shares them with the SDK's.
const bundled = new URL("../dist/cli/main.js", import.meta.url);
const isBundled = process.argv[2] !== "worker" && existsSync(bundled);
await import(isBundled ? bundled.href : "../dist/client/main.js");
