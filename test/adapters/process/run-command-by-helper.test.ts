import { afterAll, beforeAll } from "vitest";
import { nodeEntry } from "../../../src/adapters/installation/node-entry.js";
import { SPAWN_HELPER, useSpawnHelper } from "../../../src/adapters/process/processes.js";

let endHelper: () => Promise<void>;
beforeAll(async () => {
  endHelper = await useSpawnHelper(nodeEntry(SPAWN_HELPER));
});
afterAll(() => endHelper());

// Everything that holds of commands holds of those that the helper starts.
await import("./run-command.test.js");
