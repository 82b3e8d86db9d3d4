import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { WorkflowUpdateFailedError } from "@temporalio/client";
import { afterEach, describe, expect, it } from "vitest";
import * as contract from "../../src/workflows/migration.contract.js";
import { cleanUp, type MigrationHandle, waitingFor, workbench } from "../support/migrations.js";

const cleanups: (() => Promise<void>)[] = [];
afterEach(() => cleanUp(cleanups));

/** What became of an advance: `won`, or why not. */
function advance(handle: MigrationHandle, phase: string, by = "ada"): Promise<string> {
  return handle.executeUpdate(contract.advance, { args: [{ phase, by }] }).then(
    () => "won",
    (error: unknown) =>
      error instanceof WorkflowUpdateFailedError ? (error.cause?.message ?? "") : String(error),
  );
}

async function inPhase(handle: MigrationHandle, phase: string): Promise<void> {
  await expect
    .poll(() => handle.query(contract.progress), { timeout: 90_000, interval: 30 })
    .toMatchObject({ phase, waiting: { kind: "advance" } });
}

describe("a migration without a spec", () => {
  it("is led by people: each advance checks the files, and work left uncommitted is kept", async () => {
    const bench = await workbench(cleanups, { "a.txt": "old\n" });
    const handle = await bench.start(null);
    await waitingFor(handle, "advance");
    const { directory, docs, seams, features, plan } = bench.store.paths(handle.workflowId);
    const worktree = join(bench.dataDir, "workspaces", handle.workflowId);

    expect(await advance(handle, "understand")).toBe(
      "Phase gate failed: no documentation generated in docs/; seams.json does not exist",
    );
    await mkdir(docs, { recursive: true });
    await writeFile(join(docs, "notes.md"), "# Notes\n");
    await writeFile(seams, '{"seams": []}');
    expect(await advance(handle, "understand")).toBe("won");

    await inPhase(handle, "guardrail");
    expect(await advance(handle, "guardrail")).toBe("Phase gate failed: features.json not found");
    await writeFile(features, '[{"id": "f1", "description": "works", "passes": "false"}]');
    expect(await advance(handle, "guardrail")).toContain("Phase gate failed: features.json is invalid: ");
    await writeFile(features, '[{"id": "f1", "description": "works", "passes": false}]');
    expect(await advance(handle, "guardrail")).toBe(
      "Phase gate failed: 1 characterization tests not passing (f1)",
    );
    await writeFile(features, '[{"id": "f1", "description": "works", "passes": true}]');
    expect(await advance(handle, "guardrail")).toBe("won");

    await inPhase(handle, "migrate");
    await writeFile(join(worktree, "a.txt"), "new\n");
    await bench.repository.git("-C", worktree, "commit", "--quiet", "--all", "--message=by hand");
    await writeFile(plan, '{"steps": [{"id": "s1", "status": "in_progress"}]}');
    expect(await advance(handle, "migrate")).toBe("Phase gate failed: 1 steps not completed (s1)");
    await writeFile(plan, '{"steps": [{"id": "s1", "status": "completed"}]}');
    expect(await advance(handle, "migrate")).toBe("won");

    await inPhase(handle, "verify");
    await writeFile(join(worktree, "late.txt"), "not committed\n");
    expect(await advance(handle, "verify")).toBe("won");
    const result = await handle.result();
    expect(await bench.repository.git("log", "--format=%s", `main..${result.branch}`)).toBe("by hand");
    const manifest = await bench.store.readManifest(handle.workflowId);
    expect(manifest.undone).toHaveLength(1);
    expect(await bench.repository.git("show", `${manifest.undone?.[0] ?? ""}:late.txt`)).toBe(
      "not committed",
    );
    expect(directory).toContain(handle.workflowId);
  });

  it("is advanced by exactly one of 64 at once", async () => {
    const bench = await workbench(cleanups, { "a.txt": "old\n" });
    const handle = await bench.start(null);
    await waitingFor(handle, "advance");
    const { docs, seams } = bench.store.paths(handle.workflowId);
    await mkdir(docs, { recursive: true });
    await writeFile(join(docs, "notes.md"), "# Notes\n");
    await writeFile(seams, "[]");
    const outcomes = await Promise.all(
      Array.from({ length: 64 }, (_, i) => advance(handle, "understand", `person-${i}`)),
    );
    expect(outcomes.filter((outcome) => outcome === "won")).toHaveLength(1);
    expect(new Set(outcomes)).toEqual(
      new Set(["won", "Cannot advance phase 'understand': status is 'completed', expected 'in_progress'"]),
    );
    await handle.signal(contract.stop, { by: "ada", reason: "" });
    await handle.result();
  });
});
