import { checkReference } from "./reference.js";
import { locate } from "./locate.js";
import { RemoteMigration } from "./remote.js";
import type { CommandContext } from "../command.js";
import { withClient } from "../runtime.js";

export interface MigrationSession {
  readonly migration: RemoteMigration;
  readonly dataDir: string;
}

/**
 * Runs `body` with the migration that a reference means, Temporal and (where it is embedded) a worker running.
 * @throws TowpathError what finding, connecting and `body` throw
 */
export async function withMigration<T>(
  reference: string,
  context: CommandContext,
  body: (session: MigrationSession) => Promise<T>,
): Promise<T> {
  checkReference(reference);
  const options = { env: context.env, onProgress: context.progress, worker: "embedded" as const };
  return withClient(options, async (client, { dataDir }) => {
    const id = await locate(reference, dataDir, client);
    return body({ migration: new RemoteMigration(client, id), dataDir });
  });
}
