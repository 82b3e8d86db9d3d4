import { setTimeout as delay } from "node:timers/promises";
import { readFile } from "node:fs/promises";
import { MigrationStore } from "../../../src/adapters/store/migration-store.js";
import { TowpathError } from "../../../src/model/errors.js";
import { Manifest } from "../../../src/model/manifest.js";
import { stepsBackwards } from "../invariants.js";

/** What somebody saw who looked at a migration's manifest all the time. */
export interface Onlooker {
  /** Ends the looking. */
  stop(): Promise<void>;
  /** Everything that was not as it must be. */
  wrong(): readonly string[];
}

const EVERY_MS = 40;

/**
 * Looks at a migration's manifest again and again, as readers do: `manifest.json` must be a whole manifest whenever
 * somebody reads it, and nothing that was seen may be taken back.
 */
export function lookOn(dataDir: string, id: string): Onlooker {
  const wrong: string[] = [];
  let seen: Manifest | null = null;
  const end = new AbortController();
  const looking = (async () => {
    while (!end.signal.aborted) {
      try {
        const now = await look(dataDir, id);
        if (seen !== null && now !== null) {
          if (now.revision < seen.revision) wrong.push(`revision ${seen.revision} → ${now.revision}`);
          else wrong.push(...stepsBackwards(seen, now));
        }
        seen = now ?? seen;
      } catch (error) {
        wrong.push(String(error));
      }
      await delay(EVERY_MS);
    }
  })();
  return {
    stop: async () => {
      end.abort();
      await looking;
    },
    wrong: () => (seen === null ? [...wrong, "nothing was ever seen"] : wrong),
  };
}

/** Null before there is anything to see. */
async function look(dataDir: string, id: string): Promise<Manifest | null> {
  // As another process would: nothing is remembered of it.
  const store = new MigrationStore({ dataDir });
  try {
    Manifest.parse(JSON.parse(await readFile(store.paths(id).manifest, "utf8")));
    return await store.readManifest(id);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return null;
    if (error instanceof TowpathError && error.category === "not-found") return null;
    throw error;
  }
}
