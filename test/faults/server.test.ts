import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { listProcesses } from "../../src/adapters/process/process-table.js";
import { type Home, makeHome } from "../support/cli.js";
import { cleanUp } from "../support/migrations.js";
import { createRepository } from "../support/repository.js";
import { checkInvariants, type Scene, userSide } from "./invariants.js";
import { FIVE_STEP_FILES, FIVE_STEP_TEXT, FIVE_STEPS } from "./support/fleet.js";
import { randomFrom, seedOfRun } from "./support/seeds.js";

const cleanups: (() => Promise<void>)[] = [];
afterEach(() => cleanUp(cleanups));

const LIMIT_MS = 300_000;
const Started = z.object({ id: z.string() });
const Status = z.object({ status: z.string() });
const Background = z.object({ pid: z.int().positive() });

/** Each step takes long enough for a server to go and come back in it. */
const SLOW = FIVE_STEPS.replaceAll(/run: "echo (\w+) /g, 'run: "sleep 1; echo $1 ');

interface Running extends Scene {
  readonly home: Home;
  readonly id: string;
}

async function startMigration(): Promise<Running> {
  const home = await makeHome("own");
  cleanups.push(() => home.remove());
  const repository = await createRepository(join(home.dataDir, "..", "project"), {
    ...FIVE_STEP_FILES,
    "towpath.yaml": SLOW,
  });
  const before = await userSide(repository);
  const answer = await home.run(["start", repository.path, "--allow-host", "--json"]);
  expect(answer).toMatchObject({ code: 0 });
  const { id } = Started.parse(JSON.parse(answer.stdout));
  return { home, repository, before, dataDir: home.dataDir, id };
}

async function pidIn(home: Home, file: string): Promise<number> {
  return Background.parse(JSON.parse(await readFile(join(home.dataDir, file), "utf8"))).pid;
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}

async function expectCompleted(running: Running): Promise<void> {
  const { home, id, repository } = running;
  await expect
    .poll(async () => statusOf(await home.run(["status", id, "--json"])), { timeout: 180_000, interval: 500 })
    .toBe("completed");
  await checkInvariants(running, id);
  expect(await repository.git("show", `towpath/${id}:steps.txt`)).toBe(FIVE_STEP_TEXT);
}

function statusOf({ code, stdout }: { code: number; stdout: string }): string {
  const parsed = code === 0 ? Status.safeParse(JSON.parse(stdout)) : null;
  return parsed?.success ? parsed.data.status : `exit ${code}`;
}

describe("a server that is killed", () => {
  it(
    "ten times in one migration is started again by the next command, and nothing is lost",
    async () => {
      const random = randomFrom(seedOfRun());
      const running = await startMigration();
      const { home, id } = running;
      for (let n = 0; n < 10; n += 1) {
        await delay(100 + random() * 500);
        kill(await pidIn(home, "server/state.json"));
        expect(await home.run(["status", id, "--json"])).toMatchObject({ code: 0 });
      }
      await expectCompleted(running);
    },
    LIMIT_MS,
  );

  it(
    "together with worker and commands, as by a power cut, lets the migration go on when it is up again",
    async () => {
      const running = await startMigration();
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

describe("a server that is away for a minute", () => {
  it(
    "is told of with exit code 6; what is on disk can still be read, and the migration goes on",
    async () => {
      const running = await startMigration();
      const { home, id } = running;
      const isThere = async (): Promise<number> => (await home.run(["status", id, "--local", "--json"])).code;
      await expect.poll(isThere, { timeout: 30_000 }).toBe(0);
      const pid = await pidIn(home, "server/state.json");
      const port = z
        .object({ address: z.string() })
        .loose()
        .parse(JSON.parse(await readFile(join(home.dataDir, "server/state.json"), "utf8"))).address;
      // With an address of its own a command uses that server and starts none.
      const env = { TEMPORAL_ADDRESS: port };
      kill(pid);
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
      expect(await home.run(["up", "--json"])).toMatchObject({ code: 0 });
      await expectCompleted(running);
    },
    LIMIT_MS,
  );
});
