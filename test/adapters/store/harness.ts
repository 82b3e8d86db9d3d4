import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { MigrationStore } from "../../../src/adapters/store/migration-store.js";
import type { MigrationPaths } from "../../../src/adapters/store/paths.js";
import type { Manifest } from "../../../src/model/manifest.js";
import { createManifest, type NewMigration } from "../../../src/model/transitions.js";

export const ID = "mig_20250101_000000_app-0abcff";
export const NOW = new Date("2025-01-01T00:00:00.000Z");

export function newManifest(more: Partial<NewMigration> = {}): Manifest {
  return createManifest({ id: ID, now: NOW, source: "/src/app", target: "jest", mode: "hands-on", ...more });
}

/** An empty data directory of the test's own. */
export async function temporaryDataDir(): Promise<string> {
  const dataDir = await mkdtemp(join(tmpdir(), "towpath-store-"));
  onTestFinished(() => rm(dataDir, { recursive: true, force: true }));
  return dataDir;
}

/** A store on an empty data directory. */
export async function emptyStore(): Promise<MigrationStore> {
  return new MigrationStore({ dataDir: await temporaryDataDir() });
}

/** Another process's view of the same directory: nothing is remembered. */
export function reopened(store: MigrationStore): MigrationStore {
  return new MigrationStore({ dataDir: store.dataDir });
}

/** A store with one migration. */
export async function storeWithMigration(
  more: Partial<NewMigration> = {},
): Promise<{ store: MigrationStore; paths: MigrationPaths }> {
  const store = await emptyStore();
  await store.create(newManifest(more), "create");
  return { store, paths: store.paths(ID) };
}

/** A change that puts a tag into the manifest and answers with it. */
export function addTag(tag: string) {
  return (manifest: Manifest): { manifest: Manifest; result: string } => ({
    manifest: { ...manifest, checkpoints: [...manifest.checkpoints, tag] },
    result: tag,
  });
}
