import { once } from "node:events";
import { readdir, readFile, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { MigrationStore } from "../../src/adapters/store/migration-store.js";
import { listProcesses } from "../../src/adapters/process/process-table.js";
import { cleanUp } from "../support/migrations.js";
import { expectCompleted, kill, pidIn, startMigration } from "./support/home.js";
import { randomFrom, seedOfRun } from "./support/seeds.js";
import { eventually } from "./support/waiting.js";

const cleanups: (() => Promise<void>)[] = [];
afterEach(() => cleanUp(cleanups));

const LIMIT_MS = 900_000;

describe("a server that is killed", () => {
  it(
    "ten times in one migration is started again by whatever asks next, and nothing is lost",
    async () => {
      const random = randomFrom(seedOfRun());
      const running = await startMigration(cleanups);
      const { home, id } = running;
      for (let n = 0; n < 10; n += 1) {
        await delay(100 + random() * 500);
        kill(await pidIn(home, "server/state.json"));
        const { code, stdout, stderr } = await home.run(["status", id, "--json"]);
        expect([code, code === 0 ? "" : stdout + stderr]).toEqual([0, ""]);
      }
      await expectCompleted(running);
    },
    LIMIT_MS,
  );

  it(
    "together with worker and commands, as by a power cut, lets the migration go on when it is up again",
    async () => {
      const running = await startMigration(cleanups);
      const { home, id, dataDir } = running;
      for (let n = 0; n < 2; n += 1) {
        await delay(1_500);
        const mark = `towpath-${id}`;
        const commands = listProcesses().filter((entry) => entry.mark() === mark);
        const background = [await pidIn(home, "server/state.json"), await pidIn(home, "worker/state.json")];
        for (const pid of [...background, ...commands.map((entry) => entry.pid)]) kill(pid);
        expect(await home.run(["up", "--json"])).toMatchObject({ code: 0 });
      }
      expect(dataDir).toBe(home.dataDir);
      await expectCompleted(running);
    },
    LIMIT_MS,
  );
});

/** Keeps others from starting a server of theirs on a port meanwhile, which would answer in this one's place. */
async function holdPort(address: string): Promise<() => Promise<void>> {
  const holder = createServer((socket) => socket.destroy());
  // The system gives the port of a dead process back a moment later.
  await eventually(`the port of ${address}`, async () => {
    holder.listen({ host: "127.0.0.1", port: Number(address.split(":").at(-1)) });
    return once(holder, "listening").then(
      () => true,
      () => false,
    );
  });
  return async () => {
    const closed = once(holder, "close");
    holder.close();
    await closed;
  };
}

describe("a server that is away for a minute", () => {
  it(
    "is told of with exit code 6; what is on disk can still be read, and the migration goes on",
    async () => {
      const running = await startMigration(cleanups);
      const { home, id } = running;
      const isThere = async (): Promise<number> => (await home.run(["status", id, "--local", "--json"])).code;
      await expect.poll(isThere, { timeout: 600_000 }).toBe(0);
      const pid = await pidIn(home, "server/state.json");
      const port = z
        .object({ address: z.string() })
        .loose()
        .parse(JSON.parse(await readFile(join(home.dataDir, "server/state.json"), "utf8"))).address;
      // With an address of its own a command uses that server and starts none.
      const env = { TEMPORAL_ADDRESS: port };
      kill(pid);
      const release = await holdPort(port);
      const back = performance.now() + 60_000;
      while (performance.now() < back) {
        const asked = await home.run(["advance", id, "migrate", "--json"], env);
        expect(asked.code).toBe(6);
        expect(JSON.parse(asked.stdout)).toMatchObject({ error: { type: "TemporalUnreachable" } });
        // What only shows something may show what is on disk.
        for (const args of [["status", id], ["list"]]) {
          expect([0, 6]).toContain((await home.run([...args, "--json"], env)).code);
        }
        const local = await home.run(["status", id, "--local", "--json"], env);
        expect(local.code).toBe(0);
        await delay(3_000);
      }
      await release();
      expect(await home.run(["up", "--json"])).toMatchObject({ code: 0 });
      await expectCompleted(running);
    },
    LIMIT_MS,
  );
});

describe("a server whose database is gone", () => {
  it(
    "knows nothing of the migration, which goes on from its directory alone",
    async () => {
      const running = await startMigration(cleanups);
      const { home, id, dataDir } = running;
      const store = new MigrationStore({ dataDir });
      await expect
        .poll(async () => (await store.readManifest(id)).steps?.["two"]?.status, { timeout: 600_000 })
        .toBe("in_progress");
      for (const file of ["server/state.json", "worker/state.json"] as const) kill(await pidIn(home, file));
      const server = join(dataDir, "server");
      for (const name of await readdir(server))
        if (name.startsWith("temporal.db")) await rm(join(server, name));
      expect(await home.run(["up", "--json"])).toMatchObject({ code: 0 });
      const lost = await home.run(["status", id]);
      expect(lost).toMatchObject({ code: 0, stdout: expect.stringContaining(`towpath recover ${id}`) });
      expect((await home.run(["pause", id, "--json"])).code).toBe(3);

      expect(await home.run(["recover", id, "--json"])).toMatchObject({ code: 0 });
      const twice = await home.run(["recover", id, "--json"]);
      expect([twice.code, twice.stdout]).toEqual([4, expect.stringContaining("MigrationExists")]);
      await expectCompleted(running);
      const over = await home.run(["recover", id, "--json"]);
      expect([over.code, over.stdout]).toEqual([4, expect.stringContaining("WrongStatus")]);
    },
    LIMIT_MS,
  );
});
