import { randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Client } from "@temporalio/client";
import { historyToJSON } from "@temporalio/common/lib/proto-utils.js";
import { Worker } from "@temporalio/worker";
import { afterEach, describe, expect, inject, it } from "vitest";
import { connect } from "../../src/adapters/temporal/connect.js";
import { embeddedEndpoint, embeddedStatus } from "../../src/adapters/temporal/embedded.js";
import { dataConverterOf } from "../../src/adapters/temporal/encryption/data-converter.js";
import { KEY_FILE_VARIABLE, keyRing } from "../../src/adapters/temporal/encryption/keys.js";
import { isRunning } from "../../src/adapters/temporal/identity.js";
import { workerPaths } from "../../src/worker/registration.js";
import { workerStatus } from "../../src/worker/background.js";
import { whereIs } from "../faults/invariants.js";
import { CANARIES, reaches, skip, startWaiting } from "../support/canaries.js";
import { makeHome, type Home } from "../support/cli.js";
import { cleanUp } from "../support/migrations.js";
import { quietRuntime } from "../support/temporal.js";

const cleanups: (() => Promise<void>)[] = [];
afterEach(() => cleanUp(cleanups));

/** The embedded server, whatever the run is against: its file is looked into. */
const EMBEDDED = { TEMPORAL_ADDRESS: "", TEMPORAL_NAMESPACE: "" };

const MISSING_KEY = /its key '[\d.-]+' is not among the keys here/;

interface Encrypted {
  readonly home: Home;
  readonly keyFile: string;
  readonly run: (...args: string[]) => ReturnType<Home["run"]>;
}

async function encryptedHome(): Promise<Encrypted> {
  const home = await makeHome("own");
  cleanups.push(() => home.remove());
  const keyFile = join(home.dataDir, "..", "keys");
  expect(await home.run(["codec-key", keyFile])).toMatchObject({ code: 0 });
  return { home, keyFile, run: (...args) => home.run(args, { ...EMBEDDED, [KEY_FILE_VARIABLE]: keyFile }) };
}

async function found(home: Home): Promise<string[]> {
  const hits = Object.entries(CANARIES).map(async ([name, canary]) => {
    const base64 = Buffer.from(canary).toString("base64").slice(0, 12);
    const files = [
      ...(await whereIs(canary, [join(home.dataDir, "server")])),
      ...(await whereIs(base64, [join(home.dataDir, "server")])),
    ];
    return files.length > 0 ? [name] : [];
  });
  return (await Promise.all(hits)).flat();
}

async function withClient<T>(home: Home, keyFile: string, body: (client: Client) => Promise<T>): Promise<T> {
  const { state } = await embeddedStatus(home.dataDir);
  const client = await connect(
    embeddedEndpoint({ address: state?.address ?? "" }, { [KEY_FILE_VARIABLE]: keyFile }),
  );
  try {
    return await body(client);
  } finally {
    await client.connection.close();
  }
}

describe("a migration with encryption", () => {
  it(
    "leaves nothing readable of itself in the server's database, and everything to who has the key",
    { timeout: 600_000 },
    async () => {
      const { home, keyFile, run } = await encryptedHome();
      const id = await startWaiting(home, run);
      expect(id).not.toContain(CANARIES.repository);
      await skip(run, id);
      await reaches(run, id, "completed");

      expect(await found(home)).toEqual([]);
      const [, key = ""] = (await readFile(keyFile, "utf8")).trim().split(":");
      expect(await whereIs(key, [home.dataDir])).toEqual([]);

      const listed = await run("list", "--json");
      expect(listed.stdout).toContain(CANARIES.repository);
      const plan = await run("plan", id, "--json");
      expect(plan.stdout).toContain(CANARIES.step);
      const history = await withClient(home, keyFile, (client) =>
        client.workflow.getHandle(id).fetchHistory(),
      );
      expect(historyToJSON(history)).not.toContain(CANARIES.step);
      quietRuntime();
      // Replay decrypts; without the key it says what is missing.
      const workflowBundle = { code: await readFile(inject("workflowBundle"), "utf8") };
      const encryption = keyRing({ [KEY_FILE_VARIABLE]: keyFile }) ?? undefined;
      await expect(
        Worker.runReplayHistory(
          { workflowBundle, dataConverter: dataConverterOf({ encryption }) },
          history,
          id,
        ),
      ).resolves.toBeUndefined();
      const elsewhere = await home.run(["status", id], EMBEDDED);
      expect(elsewhere.code).toBe(4);
      expect(elsewhere.stderr).toContain("are encrypted");
    },
  );

  it("is found in the database without encryption, so that looking for it means something", async () => {
    const home = await makeHome("own");
    cleanups.push(() => home.remove());
    const run = (...args: string[]) => home.run(args, EMBEDDED);
    const id = await startWaiting(home, run);
    await skip(run, id);
    await reaches(run, id, "completed");
    expect(await found(home)).toEqual(Object.keys(CANARIES));
  });

  it(
    "goes on through a rotation of keys, and waits with a clear message for a worker that has its key",
    { timeout: 600_000 },
    async () => {
      const { home, keyFile, run } = await encryptedHome();
      const id = await startWaiting(home, run);
      const before = await workerStatus(home.dataDir);

      expect(await run("codec-key", keyFile)).toMatchObject({ code: 0 });
      expect(keyRing({ [KEY_FILE_VARIABLE]: keyFile })).toHaveLength(2);
      await reaches(run, id, "waiting");
      const rotated = await workerStatus(home.dataDir);
      expect(rotated?.pid).not.toBe(before?.pid);

      // A worker that has only a key of its own cannot read what its host is.
      const foreign = join(home.dataDir, "..", "foreign-keys");
      const foreignKey = `elsewhere:${randomBytes(32).toString("base64")}\n`;
      await writeFile(foreign, foreignKey, { mode: 0o600 });
      const refused = await home.run(["up"], { ...EMBEDDED, [KEY_FILE_VARIABLE]: foreign });
      expect(refused.code).not.toBe(0);
      expect(refused.stderr).toMatch(MISSING_KEY);
      const stranger = await workerStatus(home.dataDir);
      if (stranger === null) throw new Error("no worker");
      const log = () => readFile(workerPaths(home.dataDir).log, "utf8");
      await expect.poll(log, { timeout: 90_000 }).toMatch(MISSING_KEY);
      expect(isRunning(stranger)).toBe(true);

      await reaches(run, id, "waiting");
      await skip(run, id);
      await reaches(run, id, "completed");
      expect(await found(home)).toEqual([]);
    },
  );
});
