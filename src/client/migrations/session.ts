import type { HostAbsence } from "../../model/hosts.js";
import { checkReference } from "./reference.js";
import type { RemoteMigration } from "./remote.js";
import type { CommandContext } from "../command.js";

export interface MigrationSession {
  readonly migration: RemoteMigration;
  readonly dataDir: string;
  /** That a host is away; null where it is there, or is not known. */
  readonly absenceOf: (hostId: string) => Promise<HostAbsence | null>;
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
  // Loaded here, because the same commands ask this machine's directory alone with `--local`, and then soon.
  const [{ withClient }, { locate }, remote, hosts] = await Promise.all([
    import("../runtime.js"),
    import("./locate.js"),
    import("./remote.js"),
    import("../hosts/hosts.js"),
  ]);
  const options = { env: context.env, onProgress: context.progress, worker: "embedded" as const };
  return withClient(options, async (client, { dataDir }) => {
    const id = await locate(reference, dataDir, client);
    const absenceOf = (host: string) => hosts.absenceOf(client, host);
    return body({ migration: new remote.RemoteMigration(client, id), dataDir, absenceOf });
  });
}
