import { readdirSync, truncateSync } from "node:fs";
import { copyFile, mkdir, readFile, rename, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { MigrationStore } from "../../src/adapters/store/migration-store.js";
import { TowpathError } from "../../src/model/errors.js";
import { entryFileName } from "../../src/model/manifest-chain.js";
import { PHASES } from "../../src/model/phases.js";
import { createManifest } from "../../src/model/transitions.js";
import { cleanUp } from "../support/migrations.js";
import { temporaryDirectory } from "../support/repository.js";
import { checkChain } from "./invariants.js";
import { randomFrom, seedOfRun } from "./support/seeds.js";

const cleanups: (() => Promise<void>)[] = [];
afterEach(() => cleanUp(cleanups));

const ID = "mig_20260101_120000_app-0abcff";
const STEP = { phase: "migrate" as const, status: "pending" as const, attempts: 0 };

async function storeWithMigration(clock: () => Date = () => new Date()): Promise<MigrationStore> {
  const store = new MigrationStore({ dataDir: join(await temporaryDirectory(cleanups), "data"), clock });
  const steps = { one: { ...STEP, started_at: "", completed_at: "", duration_ms: 0 } };
  const own = { steps, step_order: ["one"] };
  const migration = { id: ID, now: clock(), source: "/src/app", target: "next", mode: "spec" as const, own };
  await store.create(createManifest(migration), "create");
  for (const name of ["first", "second", "third"]) {
    await store.updateManifest(ID, name, (manifest) => ({
      manifest: { ...manifest, checkpoints: [...manifest.checkpoints, name] },
      result: name,
    }));
  }
  return store;
}

/** Another process's view of the same directory. */
function reopened({ dataDir }: MigrationStore): MigrationStore {
  return new MigrationStore({ dataDir });
}

/** Whatever a reader is met with must be an error of Towpath's own, never a crash. */
async function outcomeOf<T>(work: Promise<T>): Promise<{ value: T } | { type: string; message: string }> {
  try {
    return { value: await work };
  } catch (error) {
    if (!(error instanceof TowpathError)) throw error;
    return { type: error.type, message: error.message };
  }
}

describe("a manifest.json that is cut off", () => {
  it("at any byte changes nothing of what is read, and is published anew by the next update", async () => {
    const store = await storeWithMigration();
    const { manifest: path } = store.paths(ID);
    const whole = await readFile(path);
    const truth = await store.readManifest(ID);
    for (let length = 0; length < whole.length; length += 1) {
      await writeFile(path, whole.subarray(0, length));
      expect(await reopened(store).readManifest(ID)).toEqual(truth);
    }
    await store.updateManifest(ID, "next", (manifest) => ({ manifest, result: null }));
    expect(JSON.parse(await readFile(path, "utf8"))).toEqual(await store.readManifest(ID));
  }, 900_000);
});

describe("a version of the chain that is cut off", () => {
  it.each([1, 3, 4])(
    "(number %i) at any byte is found out and named; nobody reads or writes past it",
    async (number) => {
      const store = await storeWithMigration();
      const name = entryFileName(number);
      const path = join(store.paths(ID).state, name);
      const whole = await readFile(path);
      await copyFile(path, `${path}.whole`);
      for (let length = whole.length - 2; length >= 0; length -= 1) {
        truncateSync(path, length);
        const verified = await outcomeOf(reopened(store).verifyChain(ID));
        expect(verified).toMatchObject({ type: "StateCorrupt", message: expect.stringContaining(name) });
        const updated = await outcomeOf(
          reopened(store).updateManifest(ID, "late", (manifest) => ({ manifest, result: null })),
        );
        expect(updated).toMatchObject({ type: "StateCorrupt" });
      }
      await rename(`${path}.whole`, path);
      expect((await reopened(store).verifyChain(ID)).version).toBe(4);
    },
    900_000,
  );

  it("is found out when it was changed anywhere", async () => {
    const store = await storeWithMigration();
    const random = randomFrom(seedOfRun());
    for (const number of [1, 2, 3]) {
      const path = join(store.paths(ID).state, entryFileName(number));
      const whole = await readFile(path);
      for (let n = 0; n < 60; n += 1) {
        const changed = Buffer.from(whole);
        const at = Math.floor(random() * (whole.length - 1));
        changed[at] = (changed[at] ?? 0) ^ (1 << Math.floor(random() * 7));
        await writeFile(path, changed);
        expect(await outcomeOf(reopened(store).verifyChain(ID))).toMatchObject({ type: "StateCorrupt" });
      }
      await writeFile(path, whole);
    }
  });
});

const ARTEFACTS = {
  features: JSON.stringify([
    { id: "f1", category: "c", description: "it works", characterization_test: "true", passes: true },
  ]),
  seams: JSON.stringify([{ id: "s1", description: "a seam", type: "api", location: "src" }]),
  plan: JSON.stringify({ version: 1, steps: [{ id: "one", description: "first", status: "pending" }] }),
} as const;

const NAMES = ["features", "seams", "plan"] as const;

async function putArtefact(store: MigrationStore, name: (typeof NAMES)[number], text: string): Promise<void> {
  await writeFile(store.paths(ID)[name], text);
}

/** Everything that looks at an artefact; answers what reading it came to. */
async function lookAt(store: MigrationStore, name: (typeof NAMES)[number]): Promise<string> {
  const read = await outcomeOf(store.readArtefact(ID, name));
  for (const phase of PHASES) await store.fileGateRefusals(ID, phase);
  await store.progress(ID);
  return "type" in read ? read.type : "read";
}

const HOSTILE: Record<string, string> = {
  "a number": "7",
  "a text": '"text"',
  null: "null",
  "a list of lists": "[[[[]]]]",
  "an object of the wrong shape": '{"features":{"a":1},"seams":7,"steps":"x"}',
  "entries of wrong types": '[{"id":7,"description":[],"passes":"yes"}]',
  "names of the prototype": '[{"__proto__":{"polluted":true},"id":"__proto__","constructor":{}}]',
  "steps of the prototype":
    '{"steps":[{"id":"__proto__"},{"id":"constructor","dependencies":["__proto__"]}]}',
  "a path for an id": '[{"id":"../../../../etc/passwd","description":"x"}]',
  "control characters": '[{"id":"\\u001b[2J\\u0000","description":"\\u001b]0;owned\\u0007"}]',
  "not UTF-8": "\u0000\u0001[",
  "nested as deep as it goes": "[".repeat(500_000),
  "objects as deep as they go": '{"a":'.repeat(200_000),
  "a list of a million": `[${'{"id":"x"},'.repeat(200_000)}{"id":"y"}]`,
  huge: JSON.stringify([{ id: "f", description: "x".repeat(32 * 1024 * 1024) }]),
};

describe.each(NAMES)("%s that", (name) => {
  it("is cut off at any byte is read as what it is or refused; no gate, listing or progress fails", async () => {
    const store = await storeWithMigration();
    const text = ARTEFACTS[name];
    for (let length = 0; length <= text.length; length += 1) {
      await putArtefact(store, name, text.slice(0, length));
      const seen = await lookAt(store, name);
      const expected = length < text.length ? "ArtefactInvalid" : seen;
      expect([length, seen]).toEqual([length, expected]);
    }
    expect((await store.list()).map(({ id }) => id)).toEqual([ID]);
  }, 900_000);

  it.each(Object.keys(HOSTILE))(
    "is %s is refused or read, never more",
    async (what) => {
      const store = await storeWithMigration();
      await putArtefact(store, name, HOSTILE[what] ?? "");
      expect(["read", "ArtefactInvalid"]).toContain(await lookAt(store, name));
      expect(Object.hasOwn(Object.prototype, "polluted")).toBe(false);
    },
    300_000,
  );

  it("is a link out of the directory is not followed", async () => {
    const store = await storeWithMigration();
    const outside = join(store.dataDir, "..", "outside.json");
    await writeFile(outside, ARTEFACTS[name]);
    await symlink(outside, store.paths(ID)[name]);
    expect(await outcomeOf(store.readArtefact(ID, name))).toMatchObject({
      type: "StorageFailed",
      message: expect.stringContaining("symbolic link"),
    });
  });
});

describe("a manifest.json of the wrong shape", () => {
  it.each(Object.entries(HOSTILE).filter(([what]) => what !== "huge"))(
    "(%s) is put aside; the truth stays and is published again",
    async (_, text) => {
      const store = await storeWithMigration();
      const truth = await store.readManifest(ID);
      await writeFile(store.paths(ID).manifest, text);
      expect(await reopened(store).readManifest(ID)).toEqual(truth);
      await reopened(store).updateManifest(ID, "next", (manifest) => ({ manifest, result: null }));
      const published: unknown = JSON.parse(await readFile(store.paths(ID).manifest, "utf8"));
      expect(published).toMatchObject({ id: ID, revision: 5, checkpoints: truth.checkpoints });
      const kept = readdirSync(store.paths(ID).directory).filter((name) => name.includes(".edited-"));
      expect(kept).toHaveLength(1);
    },
    300_000,
  );
});

describe("names in the directory of migrations that are none", () => {
  it("are not listed, and no call leaves the directory by them", async () => {
    const store = await storeWithMigration();
    const root = join(store.dataDir, "migrations");
    for (const name of ["..hidden", "mig_x", "mig_20260101_120000_a b", "-rf", "\u001b[31m"]) {
      await mkdir(join(root, name), { recursive: true });
    }
    await symlink("/", join(root, "mig_20260101_120001_link-0abcff"));
    expect((await store.list()).filter((found) => "manifest" in found).map(({ id }) => id)).toEqual([ID]);
    for (const id of [
      "../../etc",
      "..",
      ".",
      "",
      "mig_20260101_120000_../x",
      "mig_20260101_120000_a\n",
      "/etc",
    ]) {
      expect(await outcomeOf((async () => store.readManifest(id))())).toMatchObject({
        type: "InvalidMigrationId",
      });
    }
    await expect(store.readManifest("mig_20260101_120001_link-0abcff")).rejects.toMatchObject({
      type: "MigrationNotFound",
    });
  });
});

describe("a clock that is set back and forth", () => {
  it("changes no order: versions, operations and answers stay as they were made", async () => {
    const random = randomFrom(seedOfRun());
    let now = Date.UTC(2026, 0, 1);
    const store = await storeWithMigration(() => new Date(now));
    const answers: string[] = [];
    for (let n = 0; n < 100; n += 1) {
      now += (random() - 0.5) * 20 * 365 * 86_400_000;
      const name = `op-${n}`;
      const { result } = await store.updateManifest(ID, name, (manifest) => ({
        manifest: { ...manifest, checkpoints: [...manifest.checkpoints, name] },
        result: name,
      }));
      answers.push(z.string().parse(result));
    }
    const manifest = await reopened(store).readManifest(ID);
    expect(manifest.checkpoints.slice(3)).toEqual(answers);
    expect((await store.verifyChain(ID)).operations.slice(4)).toEqual(answers);
    await store.sweep(ID);
    await checkChain(store, ID);
    expect((await store.verifyChain(ID)).version).toBe(104);
  });
});
