import {
  MigrationStore,
  type ListedMigration as StoredMigration,
} from "../../adapters/store/migration-store.js";
import type { Manifest } from "../../model/manifest.js";
import { progressPercent } from "../../model/progress.js";
import type { ListedMigration } from "../render/list.js";
import { localProgress } from "./local-view.js";

function manifestRow(manifest: Manifest): ListedMigration {
  const view = localProgress(manifest, null);
  return {
    id: manifest.id,
    status: view.status,
    phase: view.phase,
    progress: progressPercent(manifest),
    waitingFor: view.waiting?.message ?? "",
    startedAt: manifest.created_at,
    target: view.target,
    source: view.source,
    host: view.hostId,
    known: ["local"],
    error: null,
  };
}

function corruptRow(id: string, message: string): ListedMigration {
  return {
    id,
    status: "corrupt",
    phase: "",
    progress: null,
    waitingFor: "",
    startedAt: "",
    target: "",
    source: "",
    host: "",
    known: ["local"],
    error: message,
  };
}

function rowOf(stored: StoredMigration): ListedMigration {
  return "manifest" in stored ? manifestRow(stored.manifest) : corruptRow(stored.id, stored.error.message);
}

/** A row for each migration in the data directory, sorted by id; a corrupt one hides no other. */
export async function localRows(dataDir: string): Promise<ListedMigration[]> {
  return (await new MigrationStore({ dataDir }).list()).map((stored) => rowOf(stored));
}
