import { join } from "node:path";
import { afterEach, expect, it } from "vitest";
import { KEY_FILE_VARIABLE } from "../../src/adapters/temporal/encryption/keys.js";
import { CANARIES, reaches, skip, startWaiting } from "../support/canaries.js";
import { makeHome } from "../support/cli.js";
import { describeOnCluster, useCluster } from "../support/cluster/describe.js";
import { cleanUp } from "../support/migrations.js";

const cleanups: (() => Promise<void>)[] = [];
afterEach(() => cleanUp(cleanups));

const COLUMNS = `select table_name, column_name, data_type from information_schema.columns
  where table_schema = 'public' and data_type in ('bytea', 'text', 'character varying', 'jsonb', 'tsvector')`;

describeOnCluster("encryption on a cluster with PostgreSQL", () => {
  const cluster = useCluster();

  /** The canaries that stand in any column of both databases. */
  async function found(): Promise<string[]> {
    const hits = new Set<string>();
    for (const database of ["temporal", "temporal_visibility"]) {
      const columns = (await cluster().postgres.query(database, COLUMNS)).split("\n");
      for (const [table = "", column = "", type = ""] of columns.map((line) => line.split("|"))) {
        for (const [name, canary] of Object.entries(CANARIES)) {
          const where =
            type === "bytea"
              ? `position(convert_to('${canary}', 'UTF8') in "${column}") > 0`
              : `"${column}"::text like '%${canary}%'`;
          const count = await cluster().postgres.query(
            database,
            `select count(*) from ${table} where ${where}`,
          );
          if (count.trim() !== "0") hits.add(name);
        }
      }
    }
    return [...hits];
  }

  it(
    "leaves nothing readable of a migration in the databases, where without it everything is",
    { timeout: 900_000 },
    async () => {
      const environment = { TEMPORAL_ADDRESS: cluster().address, TEMPORAL_NAMESPACE: "" };
      const sealed = await makeHome("own");
      cleanups.push(() => sealed.remove());
      const keyFile = join(sealed.dataDir, "..", "keys");
      expect(await sealed.run(["codec-key", keyFile])).toMatchObject({ code: 0 });
      const sealedRun = (...args: string[]) =>
        sealed.run(args, { ...environment, [KEY_FILE_VARIABLE]: keyFile });
      const id = await startWaiting(sealed, sealedRun);
      await skip(sealedRun, id);
      await reaches(sealedRun, id, "completed");
      expect(await found()).toEqual([]);
      await sealedRun("down");

      const clear = await makeHome("own");
      cleanups.push(() => clear.remove());
      const clearRun = (...args: string[]) => clear.run(args, environment);
      await startWaiting(clear, clearRun);
      expect(await found()).toEqual(
        expect.arrayContaining(["spec", "prompt", "path", "repository", "target"]),
      );
    },
  );
});
