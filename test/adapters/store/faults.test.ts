import * as fs from "node:fs";
import { readdir, rm, utimes } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { fileFailure, throughFiles } from "../../support/intercepted-files.js";
import { addTag, ID, reopened, storeWithMigration } from "./harness.js";

describe("a writer that dies at any call of the file system", () => {
  it("has done its operation wholly or not at all, and a successor does it once", async () => {
    let reached = true;
    let k = 1;
    for (; reached; k += 1) {
      const { store, paths } = await storeWithMigration();
      await store.updateManifest(ID, "before", addTag("before"));
      // From the k-th call on nothing has an effect any more: that is what a dead process does.
      const death = await throughFiles(
        () => reopened(store).updateManifest(ID, "op", addTag("t")),
        (count) => (count >= k ? fileFailure("EDEAD") : null),
      );
      reached = death.calls >= k;
      await rm(paths.lock, { recursive: true, force: true });

      const seen = (await reopened(store).readManifest(ID)).checkpoints;
      expect([["before"], ["before", "t"]]).toContainEqual(seen);
      const again = await reopened(store).updateManifest(ID, "op", addTag("t"));
      expect(again.replayed).toBe(seen.includes("t"));
      expect(again).toMatchObject({ result: "t", manifest: { checkpoints: ["before", "t"] } });
      const chain = await store.verifyChain(ID);
      expect(chain.operations).toEqual(["create", "before", "op"]);
      expect(JSON.parse(fs.readFileSync(paths.manifest, "utf8"))).toEqual(again.manifest);
      expect(fs.existsSync(paths.progress)).toBe(false);
    }
    expect(k).toBeGreaterThan(12);
  });

  it("made a migration wholly or not at all", async () => {
    let reached = true;
    for (let k = 1; reached; k += 1) {
      const { store, paths } = await storeWithMigration();
      const manifest = await store.readManifest(ID);
      await rm(paths.directory, { recursive: true });
      const death = await throughFiles(
        () => reopened(store).create(manifest, "create"),
        (count) => (count >= k ? fileFailure("EDEAD") : null),
      );
      reached = death.calls >= k;
      const created = await reopened(store).create(manifest, "create");
      expect(created.manifest).toMatchObject({ id: ID, revision: 1 });
      expect(await reopened(store).readManifest(ID)).toEqual(created.manifest);
    }
  });
});

describe("a disk that fails at any one call", () => {
  it.each(["ENOSPC", "EROFS", "EMFILE", "EACCES"])(
    "with %s is reported with the path and what to do, and leaves the old state whole",
    async (code) => {
      const { store, paths } = await storeWithMigration();
      const errors: unknown[] = [];
      let reached = true;
      for (let k = 1; reached; k += 1) {
        const operation = `op-${k}`;
        const before = await store.readManifest(ID);
        const fault = await throughFiles(
          () => store.updateManifest(ID, operation, addTag(operation)),
          (count) => (count === k ? fileFailure(code) : null),
        );
        reached = fault.calls >= k;
        if (fault.error !== null) errors.push(fault.error);
        const after = await reopened(store).readManifest(ID);
        expect([before.checkpoints, [...before.checkpoints, operation]]).toContainEqual(after.checkpoints);
        const again = await store.updateManifest(ID, operation, addTag(operation));
        expect(again.manifest.checkpoints).toEqual([...before.checkpoints, operation]);
      }
      expect(errors.length).toBeGreaterThan(10);
      for (const error of errors) {
        expect(error).toMatchObject({
          type: "StorageFailed",
          retryable: true,
          message: expect.stringMatching(/^Cannot .*: E\w+: made by the test\. .{10}/),
        });
      }
      // Where the removal itself failed, the temporary file of this living process stays for the sweep of a later one.
      expect((await readdir(paths.staging)).length).toBeLessThanOrEqual(1);
      expect((await store.verifyChain(ID)).version).toBe((await store.readManifest(ID)).revision);
    },
  );
});

describe("the lock", () => {
  it("of a holder that is gone is taken over after the stale time", async () => {
    const { store, paths } = await storeWithMigration();
    fs.mkdirSync(paths.lock);
    const past = new Date(Date.now() - 60_000);
    await utimes(paths.lock, past, past);
    expect((await store.updateManifest(ID, "op", addTag("t"))).replayed).toBe(false);
  });

  it("that was taken over while its holder stood still keeps the holder from overwriting an artefact", async () => {
    const { store, paths } = await storeWithMigration();
    await store.writeArtefact(ID, "features", []);
    const overtaken = store.updateArtefact(ID, "features", () => {
      fs.rmdirSync(paths.lock);
      fs.mkdirSync(paths.lock);
      fs.writeFileSync(paths.features, '[{"id": "newer"}]');
      return [];
    });
    await expect(overtaken).rejects.toMatchObject({ type: "LockUnavailable", retryable: true });
    expect(await store.readArtefact(ID, "features")).toMatchObject([{ id: "newer" }]);
    expect(await readdir(paths.staging)).toEqual([]);
  });
});
