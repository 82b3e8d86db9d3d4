import { spawnSync } from "node:child_process";
import fs from "node:fs";
import { readdir, utimes } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it, onTestFinished } from "vitest";
import { MigrationStore } from "../../../src/adapters/store/migration-store.js";
import { interceptFiles } from "../../support/intercepted-files.js";
import { addTag, ID, reopened, storeWithMigration } from "./harness.js";

const SUCCESSOR = fileURLToPath(new URL("successor.ts", import.meta.url));
/** Lets another process take the lock over in the very moment before a file is put in its place. */
function overtakeBefore(suffix: string, { dataDir }: MigrationStore): { readonly times: () => number } {
  let times = 0;
  const overtake = (path: string): void => {
    if (times > 0 || !path.endsWith(suffix)) return;
    times += 1;
    const argv = ["--import", "tsx", SUCCESSOR, dataDir, ID];
    const { status, stderr } = spawnSync(process.execPath, argv, { encoding: "utf8" });
    expect([status, stderr]).toEqual([0, ""]);
  };
  const restore = interceptFiles((call, parameters) => {
    if (call === "rename" || call === "link") overtake(String(parameters[1]));
  });
  onTestFinished(restore);
  return { times: () => times };
}

async function expectSuccessorsWork(store: MigrationStore, more: readonly string[] = []): Promise<void> {
  const view = reopened(store);
  expect(await view.readArtefact(ID, "features")).toMatchObject([{ id: "newer" }]);
  expect((await view.readManifest(ID)).checkpoints).toEqual(["before", "successor", ...more]);
  const { version, operations } = await view.verifyChain(ID);
  expect(operations).toHaveLength(version);
  await view.publish(ID);
  const published: unknown = JSON.parse(fs.readFileSync(store.paths(ID).manifest, "utf8"));
  expect(published).toEqual(await view.readManifest(ID));
  expect(await readdir(store.paths(ID).staging)).toEqual([]);
}

describe("a holder that stood still behind its last look at its lock, and was overtaken", () => {
  it("does not put its artefact over its successor's", async () => {
    const { store } = await storeWithMigration();
    await store.updateManifest(ID, "before", addTag("before"));
    const overtaken = overtakeBefore("features.json", store);
    await expect(store.writeArtefact(ID, "features", [])).rejects.toMatchObject({
      type: "LockUnavailable",
      retryable: true,
    });
    expect(overtaken.times()).toBe(1);
    await expectSuccessorsWork(store);
  });

  it("writes its version behind its successor's, also where those are packed away", async () => {
    const { store } = await storeWithMigration();
    await store.updateManifest(ID, "before", addTag("before"));
    const overtaken = overtakeBefore("manifest.3.json", store);
    const { replayed } = await store.updateManifest(ID, "mine", addTag("mine"));
    expect([overtaken.times(), replayed]).toEqual([1, false]);
    await expectSuccessorsWork(store, ["mine"]);
  });

  it("does not publish its manifest over its successor's", async () => {
    const { store } = await storeWithMigration();
    await store.updateManifest(ID, "before", addTag("before"));
    const overtaken = overtakeBefore("/manifest.json", store);
    await store.updateManifest(ID, "mine", addTag("mine"));
    expect(overtaken.times()).toBe(1);
    const published: unknown = JSON.parse(fs.readFileSync(store.paths(ID).manifest, "utf8"));
    expect(published).toMatchObject({ checkpoints: ["before", "mine", "successor"] });
  });
});

describe("the lock of a dead holder", () => {
  it("is taken over also where the clock was set back behind it", async () => {
    const { paths, store } = await storeWithMigration();
    fs.mkdirSync(paths.lock);
    const future = new Date(Date.now() + 365 * 86_400_000);
    await utimes(paths.lock, future, future);
    const patient = new MigrationStore({ dataDir: store.dataDir, lockStaleMs: 2_000 });
    expect((await patient.updateManifest(ID, "op", addTag("t"))).replayed).toBe(false);
    expect(fs.existsSync(join(paths.state, ".lock"))).toBe(false);
  });
});
