import { MigrationStore, type ListedMigration } from "../../adapters/store/migration-store.js";
import { TowpathError } from "../../model/errors.js";
import { isMigrationId } from "../../model/ids.js";
import type { Manifest } from "../../model/manifest.js";
import type { Plan } from "../../model/plan.js";
import { matchReference, migrationNotFound, type Candidate } from "./reference.js";

/** A migration as its directory on this machine has it. */
export interface LocalMigration {
  readonly manifest: Manifest;
  /** `migration-plan.json`; null where it holds no plan. */
  readonly plan: Plan | null;
}

/** Ids carry their second; a manifest knows the moment more exactly. */
function createdAt(listed: ListedMigration): string {
  if ("manifest" in listed) return listed.manifest.created_at;
  const [, date = "", time = ""] = /^mig_(\d{8})_(\d{6})/.exec(listed.id) ?? [];
  const [year, month, day] = [date.slice(0, 4), date.slice(4, 6), date.slice(6)];
  return `${year}-${month}-${day}T${time.slice(0, 2)}:${time.slice(2, 4)}:${time.slice(4)}.000Z`;
}

/** Every migration in the data directory, corrupt ones too. */
export async function localCandidates(dataDir: string): Promise<Candidate[]> {
  const listed = await new MigrationStore({ dataDir }).list();
  return listed.map((migration) => ({ id: migration.id, createdAt: createdAt(migration) }));
}

/**
 * The id of the migration in the data directory that a reference means.
 * @throws TowpathError `InvalidMigrationId`, `MigrationNotFound`, `Usage` where several are meant
 */
export async function locateLocally(reference: string, dataDir: string): Promise<string> {
  const id = matchReference(reference, await localCandidates(dataDir));
  if (id === null) throw migrationNotFound(reference);
  return id;
}

/**
 * Reads a migration from the data directory. A plan that cannot be understood counts as absent; its gate says so.
 * @throws TowpathError `MigrationNotFound`, `ManifestInvalid`, `StateCorrupt`
 */
export async function readLocal(dataDir: string, id: string): Promise<LocalMigration> {
  const store = new MigrationStore({ dataDir });
  const manifest = await store.readManifest(id);
  try {
    return { manifest, plan: await store.readArtefact(id, "plan") };
  } catch (error) {
    if (error instanceof TowpathError && error.type === "ArtefactInvalid") return { manifest, plan: null };
    throw error;
  }
}

/** As `readLocal`, or null where this machine does not hold the migration. */
export async function readLocalIfHere(dataDir: string, id: string): Promise<LocalMigration | null> {
  if (!isMigrationId(id)) return null;
  try {
    return await readLocal(dataDir, id);
  } catch (error) {
    if (error instanceof TowpathError && error.category === "not-found") return null;
    throw error;
  }
}

/**
 * The migration in the data directory that a reference means, or null where none does.
 * @throws TowpathError `InvalidMigrationId`, `Usage` where several are meant, `ManifestInvalid`, `StateCorrupt`
 */
export async function findLocal(reference: string, dataDir: string): Promise<LocalMigration | null> {
  const id = matchReference(reference, await localCandidates(dataDir));
  return id === null ? null : readLocalIfHere(dataDir, id);
}
