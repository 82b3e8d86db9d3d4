/**
 * A process that takes over the lock of a holder that stands still, and changes what that one was about to change.
 * Arguments: data dir, migration id.
 */
import { utimesSync } from "node:fs";
import { MigrationStore } from "../../../src/adapters/store/migration-store.js";

const [dataDir = "", id = ""] = process.argv.slice(2);
const store = new MigrationStore({ dataDir, lockStaleMs: 2000 });
utimesSync(store.paths(id).lock, 0, 0);
await store.writeArtefact(id, "features", [
  {
    id: "newer",
    category: "c",
    description: "d",
    characterization_test: "true",
    passes: true,
    verification_steps: [],
    risk: "low",
    notes: "",
  },
]);
await store.updateManifest(id, "successor", (manifest) => ({
  manifest: { ...manifest, checkpoints: [...manifest.checkpoints, "successor"] },
  result: null,
}));
await store.updateManifest(id, "end", (manifest) => ({
  manifest: { ...manifest, status: "completed" },
  result: null,
}));
// What a holder that was overtaken may find when it goes on: the place of its version is free again.
await store.pack(id);
