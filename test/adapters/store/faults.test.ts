import * as fs from "node:fs";
import { readdir, rm, utimes } from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { afterEach, describe, expect, it } from "vitest";
import { addTag, ID, reopened, storeWithMigration } from "./harness.js";

type Call = "open" | "link" | "rename" | "unlink" | "lstat" | "readdir" | "mkdir";
const CALLS: readonly Call[] = ["open", "link", "rename", "unlink", "lstat", "readdir", "mkdir"];
const originals = { ...fs.promises };

/** Lets every call of the file system go through `gate`, which may throw in its place. */
function intercept(gate: (call: Call) => void): void {
  for (const call of CALLS) {
    const original: (...parameters: never[]) => unknown = originals[call];
    Object.assign(fs.promises, {
      [call]: async (...parameters: never[]) => {
        gate(call);
        return original(...parameters);
      },
    });
  }
  syncBuiltinESMExports();
}

afterEach(() => {
  Object.assign(fs.promises, originals);
  syncBuiltinESMExports();
});

function failure(code: string): Error {
  return Object.assign(new Error(`${code}: made by the test`), { code });
}

/** Runs an action whose k-th call of the file system fails; tells whether there was such a call. */
async function withFailureAt(
  k: number,
  action: () => Promise<unknown>,
  fail: (count: number) => Error | null,
): Promise<{ readonly reached: boolean; readonly error: unknown }> {
  let count = 0;
  intercept(() => {
    count += 1;
    const error = fail(count);
    if (error !== null) throw error;
  });
  const outcome = await action().then(
    () => null,
    (error: unknown) => error,
  );
  Object.assign(fs.promises, originals);
  syncBuiltinESMExports();
  return { reached: count >= k, error: outcome };
}

describe("a writer that dies at any call of the file system", () => {
  it("has done its operation wholly or not at all, and a successor does it once", async () => {
    let reached = true;
    let k = 1;
    for (; reached; k += 1) {
      const { store, paths } = await storeWithMigration();
      await store.updateManifest(ID, "before", addTag("before"));
      // From the k-th call on nothing has an effect any more: that is what a dead process does.
      const death = await withFailureAt(
        k,
        () => reopened(store).updateManifest(ID, "op", addTag("t")),
        (count) => (count >= k ? failure("EDEAD") : null),
      );
      reached = death.reached;
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
      const death = await withFailureAt(
        k,
        () => reopened(store).create(manifest, "create"),
        (count) => (count >= k ? failure("EDEAD") : null),
      );
      reached = death.reached;
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
        const fault = await withFailureAt(
          k,
          () => store.updateManifest(ID, operation, addTag(operation)),
          (count) => (count === k ? failure(code) : null),
        );
        reached = fault.reached;
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
