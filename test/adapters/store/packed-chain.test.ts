import { existsSync, readdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { MigrationStore } from "../../../src/adapters/store/migration-store.js";
import { PACK_NAME } from "../../../src/adapters/store/packed-chain.js";
import type { MigrationPaths } from "../../../src/adapters/store/paths.js";
import { addTag, ID, reopened, storeWithMigration } from "./harness.js";

const TAGS = ["a", "b", "c", "d"];

async function overMigration(): Promise<{ store: MigrationStore; paths: MigrationPaths }> {
  const made = await storeWithMigration();
  for (const tag of TAGS) await made.store.updateManifest(ID, tag, addTag(tag));
  await made.store.updateManifest(ID, "end", (manifest) => ({
    manifest: { ...manifest, status: "stopped" },
    result: "ended",
  }));
  return made;
}

function entryFiles({ state }: MigrationPaths): string[] {
  return readdirSync(state).filter((name) => name.startsWith("manifest."));
}

describe("the chain of a migration that is over", () => {
  it("is packed into one file beside its newest version, and says what it said", async () => {
    const { store, paths } = await overMigration();
    const before = await store.versionTexts(ID);
    const chain = await store.verifyChain(ID);
    const known = reopened(store);
    const manifest = await known.readManifest(ID);
    await store.pack(ID);
    expect(entryFiles(paths).sort()).toEqual(["manifest.6.json", PACK_NAME].sort());
    expect(await store.versionTexts(ID)).toEqual(before);
    expect(await store.verifyChain(ID)).toEqual(chain);
    for (const view of [store, known, reopened(store)]) expect(await view.readManifest(ID)).toEqual(manifest);
  });

  it("still answers every operation, takes further ones, and is packed again", async () => {
    const { store, paths } = await overMigration();
    await store.pack(ID);
    const pack = readFileSync(join(paths.state, PACK_NAME));
    await store.pack(ID);
    expect(readFileSync(join(paths.state, PACK_NAME))).toEqual(pack);
    const again = reopened(store);
    expect(await again.updateManifest(ID, "end", addTag("no"))).toMatchObject({
      replayed: true,
      result: "ended",
    });
    expect(await again.updateManifest(ID, "b", addTag("b"))).toMatchObject({ replayed: true, result: "b" });
    await again.updateManifest(ID, "later", addTag("later"));
    await store.pack(ID);
    expect(entryFiles(paths).sort()).toEqual(["manifest.7.json", PACK_NAME].sort());
    expect((await store.readManifest(ID)).checkpoints).toEqual([...TAGS, "later"]);
  });

  it("takes in or keeps aside an edit of manifest.json as before", async () => {
    const { store, paths } = await overMigration();
    const published = readFileSync(paths.manifest, "utf8");
    await store.pack(ID);
    writeFileSync(paths.manifest, published.replace("{", '{ "note": "mine",'));
    const { manifest } = await store.updateManifest(ID, "later", addTag("later"));
    expect(manifest["note"]).toBe("mine");
  });

  it("whose packing died at any file is whole, and is packed to the end", async () => {
    const { store, paths } = await overMigration();
    const kept = new Map(
      entryFiles(paths).map((name) => [name, readFileSync(join(paths.state, name))] as const),
    );
    await store.pack(ID);
    // The packer removes the first versions first: any number of them may still be there.
    for (let first = 5; first >= 1; first -= 1) {
      const name = `manifest.${first}.json`;
      writeFileSync(join(paths.state, name), kept.get(name) ?? "");
      expect((await reopened(store).verifyChain(ID)).version).toBe(6);
    }
    await store.pack(ID);
    expect(entryFiles(paths).sort()).toEqual(["manifest.6.json", PACK_NAME].sort());
  });

  it("is found out when its pack is cut off at any byte", async () => {
    const { store, paths } = await overMigration();
    await store.pack(ID);
    const pack = join(paths.state, PACK_NAME);
    const whole = readFileSync(pack);
    for (let length = whole.length - 1; length >= 0; length -= 1) {
      truncateSync(pack, length);
      await expect(reopened(store).verifyChain(ID)).rejects.toMatchObject({ type: "StateCorrupt" });
    }
    writeFileSync(pack, whole);
    expect((await reopened(store).verifyChain(ID)).version).toBe(6);
  });
});

it("the chain of a migration that goes on is not packed", async () => {
  const { store, paths } = await storeWithMigration();
  await expect(store.pack(ID)).rejects.toMatchObject({ type: "WrongStatus" });
  expect(existsSync(join(paths.state, PACK_NAME))).toBe(false);
});
