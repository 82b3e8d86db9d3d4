import { mkdir, readFile, readdir, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { temporaryName } from "../../../src/adapters/store/files.js";
import type { MigrationStore } from "../../../src/adapters/store/migration-store.js";
import { TowpathError } from "../../../src/model/errors.js";
import type { Feature } from "../../../src/model/features.js";
import { PHASES } from "../../../src/model/phases.js";
import { parseProgressLog } from "../../../src/model/progress-log.js";
import { addTag, emptyStore, ID, newManifest, NOW, reopened, storeWithMigration } from "./harness.js";

const LATER = new Date("2025-01-02T00:00:00.000Z");

async function openGates(store: MigrationStore): Promise<void> {
  const paths = store.paths(ID);
  await writeFile(join(paths.docs, "overview.md"), "x");
  await writeFile(paths.seams, "[]");
  await writeFile(paths.features, '[{"id": "f", "passes": true}]');
  await writeFile(paths.plan, '{"steps": [{"id": "s", "status": "completed"}]}');
}

describe("advancePhase", () => {
  it("refuses through a closed gate, and changes nothing", async () => {
    const { store } = await storeWithMigration();
    await expect(store.advancePhase(ID, "understand", "op", LATER)).rejects.toMatchObject({
      type: "PhaseGate",
      message: "Phase gate failed: no documentation generated in docs/; seams.json does not exist",
    });
    expect((await store.readManifest(ID)).revision).toBe(1);
  });

  it("goes from phase to phase to the end once the files allow it", async () => {
    const { store } = await storeWithMigration();
    await openGates(store);
    for (const phase of PHASES) await store.advancePhase(ID, phase, `advance-${phase}`, LATER);
    expect(await store.readManifest(ID)).toMatchObject({ status: "completed", progress_pct: 100 });
  });

  it("answers a repeated operation as before", async () => {
    const { store } = await storeWithMigration();
    await openGates(store);
    const first = await store.advancePhase(ID, "understand", "op", LATER);
    expect(first).toMatchObject({ replayed: false, result: { phase: "understand", next: "guardrail" } });
    const again = await reopened(store).advancePhase(ID, "understand", "op", LATER);
    expect(again).toMatchObject({ replayed: true, result: { phase: "understand", next: "guardrail" } });
  });

  it("lets one of 64 concurrent advances win; the others get the status error", async () => {
    const { store } = await storeWithMigration();
    await openGates(store);
    const stores = [store, reopened(store), reopened(store), reopened(store)];
    const calls = await Promise.allSettled(
      Array.from({ length: 64 }, (_, i) =>
        (stores[i % 4] ?? store).advancePhase(ID, "understand", `op-${i}`, LATER),
      ),
    );
    const lost = calls.flatMap((call) => (call.status === "rejected" ? [String(call.reason)] : []));
    expect(lost).toHaveLength(63);
    expect(new Set(lost)).toEqual(
      new Set([
        "TowpathError: Cannot advance phase 'understand': status is 'completed', expected 'in_progress'",
      ]),
    );
    expect((await store.readManifest(ID)).phases.guardrail?.status).toBe("in_progress");
  });

  it("asks the caller's own conditions in the same section", async () => {
    const { store } = await storeWithMigration();
    await openGates(store);
    await expect(
      store.advancePhase(ID, "understand", "op", LATER, () => ["the tree has changed"]),
    ).rejects.toThrow("Phase gate failed: the tree has changed");
    expect(await store.fileGateRefusals(ID, "understand")).toEqual([]);
  });
});

describe("list", () => {
  it("is empty without a data directory", async () => {
    expect(await (await emptyStore()).list()).toEqual([]);
  });

  it("sorts by id and reports what cannot be read without hiding the others", async () => {
    const { store } = await storeWithMigration();
    for (const time of ["000003", "000001", "000002"]) {
      await store.create(newManifest({ id: at(time) }), "create");
    }
    const broken = store.paths(at("000002"));
    await writeFile(broken.manifest, "{");
    await writeFile(join(broken.state, "manifest.1.json"), "{");
    const empty = store.paths(at("000004")).directory;
    await mkdir(empty);
    await writeFile(join(store.dataDir, "migrations", "notes.txt"), "x");
    const listed = await reopened(store).list();
    expect(listed.map(({ id }) => id)).toEqual(["000000", "000001", "000002", "000003", "000004"].map(at));
    expect(listed.map((one) => ("manifest" in one ? one.manifest.id : one.error.type))).toEqual([
      at("000000"),
      at("000001"),
      "StateCorrupt",
      at("000003"),
      "ManifestNotFound",
    ]);
  });

  it("survives whatever lies in place of a manifest", async () => {
    const { store } = await storeWithMigration();
    const other = store.paths(ID.replace("000000", "000001"));
    await mkdir(other.directory);
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.string(), fc.json()), async (text) => {
        await writeFile(other.manifest, text);
        const listed = await store.list();
        expect(listed).toHaveLength(2);
        expect(listed[0]).toHaveProperty("manifest");
        expect(listed[1]).toHaveProperty("error", expect.any(TowpathError));
      }),
      { numRuns: 50 },
    );
  });

  it("shows what is newest, also where the published copy is behind", async () => {
    const { store, paths } = await storeWithMigration();
    const old = await readFile(paths.manifest);
    await store.updateManifest(ID, "op", addTag("t"));
    await writeFile(paths.manifest, old);
    expect(await reopened(store).list()).toMatchObject([{ manifest: { checkpoints: ["t"] } }]);
  });
});

describe("artefacts", () => {
  const feature = { id: "f", description: "d", passes: true };

  it("are written, read and changed", async () => {
    const { store, paths } = await storeWithMigration();
    expect(await store.readArtefact(ID, "features")).toBeNull();
    await writeFile(paths.features, JSON.stringify([feature]));
    await store.updateArtefact(ID, "features", failing);
    expect(await store.readArtefact(ID, "features")).toMatchObject([{ id: "f", passes: false, risk: "low" }]);
    expect(await readFile(paths.features, "utf8")).toMatch(/^\[\n {2}\{\n {4}"id"/);
  });

  it("stay wrapped, with their other keys, where they lie wrapped", async () => {
    const { store, paths } = await storeWithMigration();
    await writeFile(paths.features, JSON.stringify({ made_by: "me", features: [feature] }));
    await store.updateArtefact(ID, "features", (current) => current ?? []);
    expect(JSON.parse(await readFile(paths.features, "utf8"))).toMatchObject({
      made_by: "me",
      features: [feature],
    });
  });

  it("that cannot be understood are not overwritten by a change, only when replaced", async () => {
    const { store, paths } = await storeWithMigration();
    await writeFile(paths.features, '[{"id": "a", "passes": "yes"}, {"passes": 1}]');
    await expect(store.updateArtefact(ID, "features", () => [])).rejects.toMatchObject({
      type: "ArtefactInvalid",
      message: expect.stringMatching(/features\[0\]\.passes: .*features\[1\]\.id: .*features\[1\]\.passes: /),
    });
    expect(await readFile(paths.features, "utf8")).toContain('"yes"');
    await store.writeArtefact(ID, "features", []);
    expect(await store.readArtefact(ID, "features")).toEqual([]);
  });

  it("lose no change between concurrent writers", async () => {
    const { store } = await storeWithMigration();
    const stores = [store, reopened(store)];
    await Promise.all(
      Array.from({ length: 30 }, (_, i) =>
        (stores[i % 2] ?? store).updateArtefact(ID, "seams", (current) => [
          ...(current ?? []),
          { ...SEAM, id: `s${i}` },
        ]),
      ),
    );
    expect(await store.readArtefact(ID, "seams")).toHaveLength(30);
  });
});

const SEAM = {
  description: "",
  type: "",
  location: "",
  name: "",
  priority: "high",
  files: [],
  dependencies: [],
  complexity: "",
  confidence: 0,
  suggested_interface: "",
};

describe("progress", () => {
  it("is told from all files, for a hands-on migration", async () => {
    const { store, paths } = await storeWithMigration();
    await openGates(store);
    const tag = `towpath/${ID}/s/pre`;
    await store.updateManifest(ID, "op", addTag(tag));
    await store.writeCheckpointFile(ID, { step_id: "s", tag, commit: "c", created_at: "T" });
    await writeFile(paths.seams, "broken");
    expect(await store.progress(ID)).toMatchObject({
      features: { passing: 1, total: 1 },
      steps: { current: 1, completed: 1, total: 1 },
      last_checkpoint: { tag, step_id: "s", timestamp: "T" },
      checkpoints_count: 1,
      seams: null,
    });
  });

  it("loses no entry of the log between concurrent writers", async () => {
    const { store, paths } = await storeWithMigration();
    const stores = [store, reopened(store), reopened(store)];
    await Promise.all(
      Array.from({ length: 40 }, (_, i) =>
        (stores[i % 3] ?? store).appendProgress(ID, {
          time: NOW.toISOString(),
          agent: "a",
          phase: "p",
          summary: `${i}`,
        }),
      ),
    );
    const read = parseProgressLog(await readFile(paths.progress, "utf8"));
    expect(read.map(({ summary }) => Number(summary)).toSorted((a, b) => a - b)).toEqual(
      Array.from({ length: 40 }, (_, i) => i),
    );
  });
});

describe("other files", () => {
  it("keeps a checkpoint's file until it is removed, twice without harm", async () => {
    const { store } = await storeWithMigration();
    const checkpoint = { step_id: "s", tag: "t", commit: "c", created_at: "T" };
    await store.writeCheckpointFile(ID, checkpoint);
    expect(await store.readCheckpointFile(ID, "s")).toEqual(checkpoint);
    await store.removeCheckpointFile(ID, "s");
    await store.removeCheckpointFile(ID, "s");
    expect(await store.readCheckpointFile(ID, "s")).toBeNull();
    await expect(store.readCheckpointFile(ID, "../manifest")).rejects.toMatchObject({
      type: "InvalidStepId",
    });
  });

  it("keeps the spec byte for byte", async () => {
    const { store } = await storeWithMigration();
    const text = "\uFEFFversion: 1\r\nname: 😀";
    await store.writeSpec(ID, text);
    expect(await store.readSpec(ID)).toBe(text);
  });

  it("keeps documents under plain names only", async () => {
    const { store, paths } = await storeWithMigration();
    expect(await store.writeDocument(ID, "docs", "verification-report.md", "# R")).toBe(
      "docs/verification-report.md",
    );
    expect(await readFile(join(paths.docs, "verification-report.md"), "utf8")).toBe("# R");
    expect(await store.readDocument(ID, "docs", "verification-report.md")).toBe("# R");
    for (const name of ["../x", ".hidden", "", "a/b", "a\0"]) {
      await expect(store.writeDocument(ID, "docs", name, "x")).rejects.toMatchObject({ type: "Usage" });
    }
  });

  it("makes a folder that was deleted anew, but never the migration", async () => {
    const { store, paths } = await storeWithMigration();
    await rm(paths.reports, { recursive: true });
    await store.writeDocument(ID, "reports", "a.xml", "x");
    expect((await stat(paths.reports)).mode & 0o777).toBe(0o700);
  });
});

describe("sweep", () => {
  it("removes what writers that died, or were overtaken, had staged", async () => {
    const { store, paths } = await storeWithMigration();
    for (const name of [temporaryName(), temporaryName()]) await writeFile(join(paths.staging, name), "");
    await store.sweep(ID);
    expect(await readdir(paths.staging)).toEqual([]);
    expect((await readdir(paths.state)).sort()).toEqual([".staging", "manifest.1.json"]);
  });
});

function failing(features: Feature[] | null): Feature[] {
  return (features ?? []).map((feature) => Object.assign(feature, { passes: false }));
}

function at(time: string): string {
  return ID.replace("000000", time);
}
