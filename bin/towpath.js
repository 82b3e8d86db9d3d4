#!/usr/bin/env node
await import("../dist/client/main.js");
