import { spawnSync } from "node:child_process";
import { chmod } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { MigrationStore } from "../../src/adapters/store/migration-store.js";
import { TowpathError } from "../../src/model/errors.js";
import { createManifest } from "../../src/model/transitions.js";
import { installation } from "../support/installation.js";
import { cleanUp } from "../support/migrations.js";
import { temporaryDirectory } from "../support/repository.js";
import { checkInvariants } from "./invariants.js";
import { fill, smallDisk } from "./support/disk.js";
import { FIVE_STEP_FILES, TWO_STEP_TEXT, TWO_STEPS } from "./support/fleet.js";
import { activitiesOn, execute, type Ground, makeGround, travel } from "./support/journey.js";

const cleanups: (() => Promise<void>)[] = [];
afterEach(() => cleanUp(cleanups));

const CLEAR = /no space|ENOSPC|EROFS|[Rr]ead-only|unable to write|cannot|Cannot|failed/;

async function expectWhole(ground: Ground): Promise<void> {
  const manifest = await checkInvariants(ground, ground.id);
  expect(manifest.status).toBe("completed");
  const text = await ground.repository.git("show", `towpath/${ground.id}:steps.txt`);
  expect(text).toBe(TWO_STEP_TEXT);
}

/** The last step's tests are reported on, so that reports are written too. */
const REPORTED = TWO_STEPS.replace(
  /(id: two, run: "[^"]*)"/,
  '$1; echo \'<testsuite><testcase name=\\"t\\"/></testsuite>\' > $TOWPATH_OUT/t.xml", report: t.xml',
);

/** Delivers each activity on a disk that is spoilt in several ways first, and then on a good one. */
async function travelOn(disk: string, ways: readonly (() => () => void)[]): Promise<TowpathError[]> {
  const ground = await makeGround(cleanups, FIVE_STEP_FILES, disk);
  const errors: TowpathError[] = [];
  await travel(ground, REPORTED, async (name, activity) => {
    let execution = 0;
    for (const spoil of ways) {
      execution += 1;
      const repair = spoil();
      try {
        await execute(execution, activitiesOn(ground), activity);
      } catch (error) {
        if (!(error instanceof TowpathError))
          throw new Error(`${name}: not an error of ours`, { cause: error });
        errors.push(error);
      } finally {
        repair();
      }
    }
    return await execute(execution + 1, activitiesOn(ground), activity);
  });
  await expectWhole(ground);
  return errors;
}

describe("a disk that is full", () => {
  it("at any activity is told clearly, and the activity succeeds when there is room", async ({ skip }) => {
    const disk = await smallDisk(cleanups);
    if (disk === null) {
      skip("only root may mount a disk");
      return;
    }
    const errors = await travelOn(
      disk,
      [0, 4_096, 20_480].map((leave) => () => fill(disk, leave)),
    );
    expect(errors.length).toBeGreaterThan(20);
    for (const { message, type } of errors) {
      expect(message).toMatch(CLEAR);
      expect(["StorageFailed", "GitFailed", "CommandFailed", "Internal"]).toContain(type);
    }
  }, 900_000);
});

describe("a disk that is mounted read-only", () => {
  it("at any activity is told clearly, and the activity succeeds when it can be written", async ({
    skip,
  }) => {
    const disk = await smallDisk(cleanups);
    if (disk === null) {
      skip("only root may mount a disk");
      return;
    }
    const remount = (mode: string) => spawnSync("mount", ["-o", `remount,${mode}`, disk]);
    const errors = await travelOn(disk, [
      () => {
        expect(remount("ro")).toMatchObject({ status: 0 });
        return () => void remount("rw");
      },
    ]);
    expect(errors.length).toBeGreaterThan(8);
    for (const { message } of errors) expect(message).toMatch(CLEAR);
  }, 900_000);
});

const STORE_UPDATE = fileURLToPath(new URL("fixtures/store-update.js", import.meta.url));
const Answer = z.object({
  type: z.string().optional(),
  message: z.string(),
  retryable: z.boolean().optional(),
});
const ID = "mig_20260101_120000_app-0abcff";

async function storeWithMigration(): Promise<MigrationStore> {
  const dataDir = join(await temporaryDirectory(cleanups), "data");
  const store = new MigrationStore({ dataDir });
  const migration = {
    id: ID,
    now: new Date(),
    source: "/src/app",
    target: "next",
    mode: "hands-on" as const,
  };
  await store.create(createManifest(migration), "create");
  return store;
}

async function updateIn(
  prefix: readonly string[],
  dataDir: string,
  spare: string,
): Promise<z.infer<typeof Answer>> {
  const dist = join(dirname(dirname(await installation("own"))), "dist");
  const [program, ...args] = [...prefix, process.execPath, STORE_UPDATE, dist, dataDir, ID, spare];
  if (program === undefined) throw new Error("no program");
  const { stdout, stderr, status } = spawnSync(program, args, { encoding: "utf8" });
  expect([status, stderr]).toEqual([0, ""]);
  return Answer.parse(JSON.parse(stdout));
}

describe("a data directory of somebody else's", () => {
  it("is refused with its path and what to do, and left alone", async ({ skip }) => {
    if (process.getuid?.() !== 0) skip("only root can become somebody else");
    const store = await storeWithMigration();
    await chmod(dirname(store.dataDir), 0o755);
    await chmod(store.dataDir, 0o755);
    await chmod(dirname(dirname(await installation("own"))), 0o755);
    const nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
    const answer = await updateIn(nobody, store.dataDir, "all");
    expect(answer).toMatchObject({
      type: "StorageFailed",
      message: expect.stringMatching(/EACCES.*permissions/),
    });
    expect((await store.verifyChain(ID)).version).toBe(1);
  });
});

describe("a process without file handles left", () => {
  it("is told so; the manifest is the old or the new one, and the next update succeeds", async () => {
    const store = await storeWithMigration();
    const answers = [];
    for (let spare = 0; spare <= 8; spare += 1) {
      answers.push(
        await updateIn(["sh", "-c", 'ulimit -n 128; exec "$0" "$@"'], store.dataDir, String(spare)),
      );
    }
    const failures = answers.filter(({ message }) => message !== "done");
    expect(failures.length).toBeGreaterThan(0);
    for (const failure of failures) {
      expect(failure).toMatchObject({ type: "StorageFailed", message: expect.stringContaining("ulimit -n") });
    }
    expect((await updateIn([], store.dataDir, "all")).message).toBe("done");
    const { operations } = await new MigrationStore(store).verifyChain(ID);
    expect(new Set(operations).size).toBe(operations.length);
  }, 900_000);
});
