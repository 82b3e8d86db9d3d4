import { readdirSync, readFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import { persistDocument } from "../../src/adapters/requirements/persist.js";
import { requirementsPaths } from "../../src/adapters/requirements/paths.js";
import { readRunState, runStatePath, writeRunState } from "../../src/adapters/run-state/run-state.js";
import { draft } from "../adapters/requirements/fixture.js";
import { cleanUp } from "../support/migrations.js";
import { fill, smallDisk } from "./support/disk.js";
import { expectCompleted, startMigration } from "./support/home.js";
import { eventually } from "./support/waiting.js";

const cleanups: (() => Promise<void>)[] = [];
afterEach(() => cleanUp(cleanups));

const isRoot = process.getuid?.() === 0;

describe.skipIf(!isRoot)("a disk that fills up (only root may mount one)", () => {
  it("under the server's database lets the server stall; the migration goes on when there is room", async () => {
    const running = await startMigration(cleanups, async (home) => {
      const disk = await smallDisk(cleanups, { megabytes: 48, at: join(home.dataDir, "server") });
      expect(disk).not.toBeNull();
      // While the disk, and with it the record of the server, is still there.
      cleanups.push(async () => {
        expect((await home.run(["down"])).code).toBe(0);
      });
    });
    const { home, id, dataDir } = running;
    const isThere = async (): Promise<number> => (await home.run(["status", id, "--local"])).code;
    await expect.poll(isThere, { timeout: 600_000 }).toBe(0);
    const makeRoom = fill(join(dataDir, "server"), 0);
    // Nothing new is taken on, and who asks for something is told.
    await eventually("a refusal", async () => (await home.run(["resume", id, "--json"])).code === 6);
    for (let n = 0; n < 3; n += 1) {
      const asked = await home.run(["status", id, "--json"]);
      expect([asked.code, asked.stdout]).toEqual([
        expect.toSatisfy((code) => [0, 6].includes(code)),
        expect.any(String),
      ]);
      expect((await home.run(["status", id, "--local", "--json"])).code).toBe(0);
      await delay(500);
    }
    makeRoom();
    expect(await home.run(["up", "--json"])).toMatchObject({ code: 0 });
    await expectCompleted(running);
  }, 900_000);

  it("under a project's run state is told, and the old state stays", async () => {
    const disk = await smallDisk(cleanups);
    const project = join(disk ?? "", "project");
    await mkdir(project);
    const state = {
      container: "one",
      image: "i",
      project_dir: project,
      started_at: "2026-01-01T00:00:00.000Z",
    };
    await writeRunState(project, state);
    const before = await readRunState(project);
    const makeRoom = fill(disk ?? "", 0);
    await expect(writeRunState(project, { ...state, container: "two" })).rejects.toMatchObject({
      type: "StorageFailed",
      message: expect.stringMatching(/run\.json.*ENOSPC|ENOSPC/),
    });
    expect(await readRunState(project)).toEqual(before);
    makeRoom();
    expect(readdirSync(dirname(runStatePath(project)))).toEqual(["run.json"]);
  });

  it("under a project's requirements document is told, and the old document stays", async () => {
    const disk = await smallDisk(cleanups);
    const project = join(disk ?? "", "project");
    await mkdir(project);
    const paths = requirementsPaths(project);
    await persistDocument(paths, draft("first\n"));
    for (const leave of [0, 4_096, 8_192, 12_288]) {
      const makeRoom = fill(disk ?? "", leave);
      const outcome = await persistDocument(paths, draft("x".repeat(16_384))).then(
        () => null,
        (error: unknown) => error,
      );
      expect(outcome).toMatchObject({ type: "StorageFailed", message: expect.stringContaining("space") });
      expect(readFileSync(paths.document, "utf8")).toBe("first\n");
      makeRoom();
    }
    expect((await persistDocument(paths, draft("second\n"))).outcome).toBe("persisted");
    expect(readFileSync(paths.document, "utf8")).toBe("second\n");
  });
});
