import { access, mkdir, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { dataDirectory } from "../../../src/adapters/store/data-directory.js";
import type { Change } from "../../../src/adapters/store/manifest-log.js";
import { TowpathError } from "../../../src/model/errors.js";
import { Manifest } from "../../../src/model/manifest.js";
import { addTag, emptyStore, ID, newManifest, NOW, reopened, storeWithMigration } from "./harness.js";

const publishedAt = async (path: string): Promise<Manifest> =>
  Manifest.parse(JSON.parse(await readFile(path, "utf8")));

describe("dataDirectory", () => {
  it.each([
    [{ TOWPATH_DATA_DIR: "/data/t", HOME: "/h" }, "/data/t"],
    [{ TOWPATH_DATA_DIR: "", HOME: "/h" }, "/h/.towpath"],
    [{ HOME: "/h" }, "/h/.towpath"],
  ])("with %j is %s", (env, expected) => {
    expect(dataDirectory(env)).toBe(expected);
  });
});

describe("create", () => {
  it("makes the whole tree, for the owner alone", async () => {
    const { store, paths } = await storeWithMigration();
    expect((await readdir(paths.directory)).sort()).toEqual(
      ["checkpoints", "docs", "feedback", "logs", "manifest.json", "out", "reports", "state"].sort(),
    );
    expect((await stat(paths.directory)).mode & 0o777).toBe(0o700);
    expect((await stat(paths.manifest)).mode & 0o777).toBe(0o600);
    expect(await readdir(join(store.dataDir, "migrations"))).toEqual([ID]);
    expect(await publishedAt(paths.manifest)).toMatchObject({ id: ID, revision: 1 });
  });

  it("answers a repeated start as before, and refuses another one", async () => {
    const { store } = await storeWithMigration();
    await store.updateManifest(ID, "op", addTag("t"));
    expect(await store.create(newManifest(), "create")).toMatchObject({
      created: false,
      manifest: { checkpoints: ["t"] },
    });
    await expect(store.create(newManifest(), "create-2")).rejects.toMatchObject({ type: "MigrationExists" });
    expect((await store.readManifest(ID)).checkpoints).toEqual(["t"]);
  });

  it("lets one of many concurrent starts win", async () => {
    const store = await emptyStore();
    const starts = await Promise.allSettled(
      Array.from({ length: 16 }, (_, i) => reopened(store).create(newManifest(), `create-${i}`)),
    );
    expect(starts.filter((start) => start.status === "fulfilled")).toHaveLength(1);
    expect(await readdir(join(store.dataDir, "migrations"))).toEqual([ID]);
  });

  it("never overwrites a directory that is no migration yet", async () => {
    const store = await emptyStore();
    await mkdir(store.paths(ID).directory, { recursive: true });
    await writeFile(join(store.paths(ID).directory, "mine"), "x");
    await expect(store.create(newManifest(), "create")).rejects.toMatchObject({ type: "MigrationExists" });
  });
});

describe("updateManifest", () => {
  it("stores, publishes and answers", async () => {
    const { store, paths } = await storeWithMigration();
    const updated = await store.updateManifest(ID, "op", addTag("t"));
    expect(updated).toMatchObject({
      result: "t",
      replayed: false,
      manifest: { revision: 2, checkpoints: ["t"] },
    });
    expect(await publishedAt(paths.manifest)).toEqual(updated.manifest);
    expect(await store.readManifest(ID)).toEqual(updated.manifest);
    expect(await reopened(store).readManifest(ID)).toEqual(updated.manifest);
    expect(await readFile(paths.manifest, "utf8")).toMatch(/^\{\n {2}"id"/);
  });

  it("does an operation once and gives its stored answer ever after, also to another process", async () => {
    const { store } = await storeWithMigration();
    await store.updateManifest(ID, "op", addTag("t"));
    await store.updateManifest(ID, "other", addTag("u"));
    for (const view of [store, reopened(store)]) {
      expect(await view.updateManifest(ID, "op", never)).toMatchObject({
        result: "t",
        replayed: true,
        manifest: { checkpoints: ["t", "u"], revision: 3 },
      });
    }
  });

  it("writes nothing when the change throws, and can be tried again", async () => {
    const { store, paths } = await storeWithMigration();
    const before = await readFile(paths.manifest, "utf8");
    await expect(store.updateManifest(ID, "op", refuse)).rejects.toThrow("no");
    expect(await readFile(paths.manifest, "utf8")).toBe(before);
    expect((await store.updateManifest(ID, "op", addTag("t"))).replayed).toBe(false);
  });

  it("refuses a manifest that is none", async () => {
    const { store } = await storeWithMigration();
    await expect(store.updateManifest(ID, "op", withBadCommit)).rejects.toMatchObject({
      type: "ManifestInvalid",
    });
    expect((await store.verifyChain(ID)).version).toBe(1);
  });

  it("does not let a change in place pass unseen", async () => {
    const { store } = await storeWithMigration();
    await expect(store.updateManifest(ID, "op", inPlace)).rejects.toThrow(TypeError);
  });

  it("detects a write that is started inside another", async () => {
    const { store } = await storeWithMigration();
    let inner: Promise<unknown> = Promise.resolve();
    await store.updateManifest(ID, "outer", (manifest) => {
      inner = store.updateManifest(ID, "inner", addTag("t")).catch((error: unknown) => error);
      return { manifest, result: null };
    });
    expect(await inner).toMatchObject({
      type: "Internal",
      message: expect.stringContaining("outermost call only"),
    });
  });

  it("loses nothing between stores that do not know of each other", async () => {
    const { store } = await storeWithMigration();
    const stores = [store, reopened(store), reopened(store)];
    await Promise.all(
      Array.from({ length: 60 }, (_, i) =>
        (stores[i % 3] ?? store).updateManifest(ID, `op-${i}`, addTag(`t${i}`)),
      ),
    );
    const { checkpoints, revision } = await store.readManifest(ID);
    expect(checkpoints.toSorted()).toEqual(Array.from({ length: 60 }, (_, i) => `t${i}`).toSorted());
    expect(revision).toBe(61);
    expect((await store.verifyChain(ID)).operations).toHaveLength(61);
  });

  it("leaves no temporary file, no lock and no file of another user's tool behind", async () => {
    const { store, paths } = await storeWithMigration();
    await store.updateManifest(ID, "op", addTag("t"));
    expect((await readdir(paths.state)).sort()).toEqual([".staging", "manifest.1.json", "manifest.2.json"]);
    expect(await readdir(paths.staging)).toEqual([]);
    await expect(access(join(paths.directory, "manifest.json.lock"))).rejects.toThrow("ENOENT");
  });
});

describe("a deleted migration", () => {
  it("is not found, not made again by its lock, and may be made anew", async () => {
    const { store, paths } = await storeWithMigration();
    await store.updateManifest(ID, "op", addTag("old"));
    await rm(paths.directory, { recursive: true });
    const notFound = { type: "MigrationNotFound", message: `Migration not found: ${ID}` };
    await expect(store.updateManifest(ID, "op-2", addTag("t"))).rejects.toMatchObject(notFound);
    await expect(store.readManifest(ID)).rejects.toMatchObject(notFound);
    await expect(store.appendProgress(ID, entry)).rejects.toMatchObject(notFound);
    await expect(access(paths.directory)).rejects.toThrow("ENOENT");

    await store.create(newManifest(), "create");
    expect((await store.readManifest(ID)).checkpoints).toEqual([]);
    expect((await store.updateManifest(ID, "op", addTag("new"))).manifest.checkpoints).toEqual(["new"]);
  });
});

const entry = { time: NOW.toISOString(), agent: "a", phase: "p", summary: "s" };

describe("reading", () => {
  it("says what is not there", async () => {
    const store = await emptyStore();
    await mkdir(store.paths(ID).directory, { recursive: true });
    await expect(store.readManifest(ID)).rejects.toMatchObject({
      type: "ManifestNotFound",
      message: `Manifest not found for migration: ${ID}`,
    });
    await expect(store.readManifest("../x")).rejects.toMatchObject({
      message: "Invalid migration id '../x'",
    });
  });

  it("does not follow a symbolic link in a migration's place", async () => {
    const { store, paths } = await storeWithMigration();
    const other = ID.replace("app", "link");
    await symlink(paths.directory, store.paths(other).directory);
    await expect(store.readManifest(other)).rejects.toMatchObject({ type: "MigrationNotFound" });
    await expect(store.updateManifest(other, "op", addTag("t"))).rejects.toMatchObject({
      type: "MigrationNotFound",
    });
  });

  it("does not follow a symbolic link in a file's place", async () => {
    const { store, paths } = await storeWithMigration();
    await writeFile(join(store.dataDir, "outside"), "[]");
    await symlink(join(store.dataDir, "outside"), paths.features);
    await expect(store.readArtefact(ID, "features")).rejects.toMatchObject({
      type: "StorageFailed",
      message: expect.stringContaining("symbolic link"),
    });
  });

  it("is not hurt by a manifest.json that is cut off at any byte", async () => {
    const { store, paths } = await storeWithMigration();
    const { manifest } = await store.updateManifest(ID, "op", addTag("t"));
    const text = await readFile(paths.manifest);
    for (let length = 0; length < text.length; length += 1) {
      await writeFile(paths.manifest, text.subarray(0, length));
      expect(await reopened(store).readManifest(ID)).toEqual(manifest);
    }
  });

  it.each([
    ["missing", (path: string) => rm(path)],
    ["cut off", (path: string) => writeFile(path, '{"version": 2')],
    [
      "changed",
      async (path: string) => writeFile(path, (await readFile(path, "utf8")).replace("op-2", "op-x")),
    ],
  ])("names the version that is %s", async (_, damage) => {
    const { store, paths } = await storeWithMigration();
    for (let i = 2; i < 5; i += 1) await store.updateManifest(ID, `op-${i}`, addTag(`t${i}`));
    await damage(join(paths.state, "manifest.2.json"));
    await expect(reopened(store).updateManifest(ID, "next", addTag("t"))).rejects.toMatchObject({
      type: "StateCorrupt",
      message: expect.stringMatching(/state\/manifest\.[23]\.json is damaged/),
    });
    await expect(store.verifyChain(ID)).rejects.toMatchObject({ type: "StateCorrupt" });
  });
});

describe("somebody's edit of manifest.json", () => {
  it("is taken in where it adds or changes keys that Towpath does not know", async () => {
    const { store, paths } = await storeWithMigration();
    await writeFile(
      paths.manifest,
      JSON.stringify({ ...(await publishedAt(paths.manifest)), team: { lead: "x" } }),
    );
    const { manifest } = await store.updateManifest(ID, "op", addTag("t"));
    expect(manifest).toMatchObject({ team: { lead: "x" }, checkpoints: ["t"] });
    expect(await reopened(store).readManifest(ID)).toEqual(manifest);
    expect(await readdir(paths.directory)).not.toContain("progress.md");
  });

  it("is taken in also where it was made on an older version", async () => {
    const { store, paths } = await storeWithMigration();
    const old = await publishedAt(paths.manifest);
    await store.updateManifest(ID, "op", addTag("t"));
    await writeFile(paths.manifest, JSON.stringify({ ...old, team: "x" }));
    const { manifest } = await store.updateManifest(ID, "op-2", addTag("u"));
    expect(manifest).toMatchObject({ team: "x", checkpoints: ["t", "u"] });
  });

  it.each([
    ["changes a key of Towpath's", (text: string) => text.replace('"in_progress"', '"completed"')],
    ["is no JSON", () => "hello"],
    ["is of another migration", (text: string) => text.replaceAll(ID, `${ID}f`)],
    [
      "claims a version that is not there yet",
      (text: string) => text.replace('"revision": 1', '"revision": 7'),
    ],
  ])("is kept aside, with a note, where it %s", async (_, edit) => {
    const { store, paths } = await storeWithMigration();
    const edited = edit(await readFile(paths.manifest, "utf8"));
    await writeFile(paths.manifest, edited);
    expect((await store.readManifest(ID)).status).toBe("in_progress");
    const { manifest } = await store.updateManifest(ID, "op", addTag("t"));
    expect(manifest.phases.understand?.status).toBe("in_progress");
    expect(await publishedAt(paths.manifest)).toEqual(manifest);
    const kept = (await readdir(paths.directory)).find((name) =>
      /^manifest\.json\.edited-[0-9a-f]{8}$/.test(name),
    );
    expect(await readFile(join(paths.directory, kept ?? ""), "utf8")).toBe(edited);
    expect(await readFile(paths.progress, "utf8")).toContain(`kept in ${kept}`);
  });

  it("is not lost when the next operation was done before", async () => {
    const { store, paths } = await storeWithMigration();
    await store.updateManifest(ID, "op", addTag("t"));
    await writeFile(paths.manifest, JSON.stringify({ ...(await publishedAt(paths.manifest)), team: "x" }));
    await reopened(store).updateManifest(ID, "op", addTag("t"));
    expect((await store.updateManifest(ID, "op-2", addTag("u"))).manifest).toMatchObject({ team: "x" });
  });

  it("by deletion is made good", async () => {
    const { store, paths } = await storeWithMigration();
    await rm(paths.manifest);
    const { manifest } = await store.updateManifest(ID, "op", addTag("t"));
    expect(await publishedAt(paths.manifest)).toEqual(manifest);
  });
});

describe("a migration of the predecessor's", () => {
  const old = {
    id: ID,
    created_at: "2024-01-01T00:00:00Z",
    source_info: { path: "/src", type: "python" },
    target_info: { target: "python3", options: {} },
    phases: {
      understand: { status: "completed", started_at: "a", completed_at: "b" },
      guardrail: { status: "in_progress" },
    },
    checkpoints: ["loki-migrate/s/pre"],
    status: "pending",
    team: "x",
  };

  it("is read as it is, and adopted by the first change", async () => {
    const store = await emptyStore();
    const paths = store.paths(ID);
    await mkdir(paths.directory, { recursive: true });
    await writeFile(paths.manifest, JSON.stringify(old));
    await writeFile(join(paths.directory, "manifest.json.lock"), "");
    expect(await store.readManifest(ID)).toMatchObject({ team: "x", status: "in_progress", revision: 0 });
    const { manifest } = await store.updateManifest(ID, "op", addTag("t"));
    expect(manifest).toMatchObject({ revision: 2, team: "x", status: "in_progress", progress_pct: 25 });
    expect(manifest.checkpoints).toEqual(["loki-migrate/s/pre", "t"]);
    expect((await store.verifyChain(ID)).operations).toEqual(["adopt", "op"]);
    expect(await readdir(paths.directory)).not.toContain("progress.md");
  });

  it.each([
    ["cut off", '{"id"', /not valid JSON/],
    ["of another migration", JSON.stringify({ ...old, id: `${ID}f` }), /id: must be/],
    ["without phases", JSON.stringify({ ...old, phases: undefined }), /phases: /],
  ])("is refused when its manifest is %s", async (_, text, message) => {
    const store = await emptyStore();
    const paths = store.paths(ID);
    await mkdir(paths.directory, { recursive: true });
    await writeFile(paths.manifest, text);
    const problem = { type: "ManifestInvalid", message: expect.stringMatching(message) };
    await expect(store.readManifest(ID)).rejects.toMatchObject(problem);
    await expect(store.updateManifest(ID, "op", addTag("t"))).rejects.toMatchObject(problem);
  });
});

describe("a big manifest", () => {
  const record = { phase: "migrate" as const, status: "pending" as const, attempts: 0 };
  const steps = Object.fromEntries(
    Array.from({ length: 3000 }, (_, i) => [
      `step-number-${i}`,
      { ...record, started_at: "", completed_at: "", duration_ms: 0 },
    ]),
  );
  it("is recorded by what changed, published when asked, and read truly at all times", async () => {
    const { store, paths } = await storeWithMigration({ mode: "spec", own: { steps } });
    for (let i = 0; i < 30; i += 1) await store.updateManifest(ID, `op-${i}`, finish(`step-number-${i}`));
    const newest = await store.readManifest(ID);
    expect(newest.revision).toBe(31);
    expect(await reopened(store).readManifest(ID)).toEqual(newest);
    expect((await stat(join(paths.state, "manifest.20.json"))).size).toBeLessThan(1000);

    const published = await reopened(store).publish(ID);
    expect(await publishedAt(paths.manifest)).toEqual(published);
    expect({ ...published, revision: 0, updated_at: "" }).toEqual({ ...newest, revision: 0, updated_at: "" });
    expect((await store.publish(ID)).revision).toBe(published.revision);
  });

  it("is stored whole again before its changes outweigh it", async () => {
    const { store, paths } = await storeWithMigration();
    const note = "x".repeat(2000);
    for (let i = 0; i < 12; i += 1) {
      await store.updateManifest(ID, `op-${i}`, (manifest) => ({
        manifest: { ...manifest, note: `${i}${note}` },
        result: i,
      }));
    }
    const texts = await Promise.all(
      Array.from({ length: 13 }, (_, i) => readFile(join(paths.state, `manifest.${i + 1}.json`), "utf8")),
    );
    expect(texts.filter((text) => text.includes('"snapshot"')).length).toBeGreaterThan(2);
    expect(await reopened(store).readManifest(ID)).toMatchObject({ note: `11${note}` });
  });
});

function withBadCommit(manifest: Manifest): Change {
  return { manifest: { ...manifest, base_commit: "HEAD" }, result: null };
}

function inPlace(manifest: Manifest): Change {
  manifest.checkpoints.push("x");
  return { manifest, result: null };
}

function finish(id: string): (manifest: Manifest) => Change {
  return (manifest) => {
    const before = manifest.steps?.[id];
    const done = before === undefined ? {} : { [id]: { ...before, status: "completed" as const } };
    return { manifest: { ...manifest, steps: { ...manifest.steps, ...done } }, result: null };
  };
}

function never(): never {
  throw new Error("must not run");
}

function refuse(): never {
  throw new TowpathError("WrongStatus", "no");
}
