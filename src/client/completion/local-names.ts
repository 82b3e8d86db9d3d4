import { MigrationStore } from "../../adapters/store/migration-store.js";
import { TowpathError } from "../../model/errors.js";
import { recordedSteps } from "../../model/steps.js";
import { statusOf } from "../migrations/local-view.js";
import { locateLocally } from "../migrations/local.js";
import { LATEST } from "../migrations/reference.js";
import type { Candidate, Names } from "./candidates.js";

/** Nobody reads a longer list; more of the id is typed instead. */
const MAX_NAMES = 200;

/** The migrations of this machine's data directory, the newest first, and their steps. */
export function localNames(dataDir: string): Names {
  return {
    migrations: async () => {
      const listed = await new MigrationStore({ dataDir }).list();
      const found = listed.toReversed().slice(0, MAX_NAMES);
      const known = found.flatMap((entry): Candidate[] => {
        if (!("manifest" in entry)) return [{ value: entry.id, description: "corrupt" }];
        const { manifest } = entry;
        return [{ value: manifest.id, description: `${manifest.name ?? ""}, ${statusOf(manifest)}` }];
      });
      return known.length === 0 ? known : [{ value: LATEST, description: "the newest one" }, ...known];
    },
    steps: (reference) => stepsOf(reference, dataDir),
  };
}

async function stepsOf(reference: string, dataDir: string): Promise<readonly Candidate[]> {
  try {
    const id = await locateLocally(reference, dataDir);
    const manifest = await new MigrationStore({ dataDir }).readManifest(id);
    return (recordedSteps(manifest) ?? []).map(({ id: value, record }) => ({
      value,
      description: `${record.phase}, ${record.status}`,
    }));
  } catch (error) {
    // Somebody is still typing: what the command would refuse has no steps yet.
    if (error instanceof TowpathError && error.category !== "unexpected") return [];
    throw error;
  }
}
