import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { MigrationStore } from "../../src/adapters/store/migration-store.js";
import { type Home, makeHome } from "../support/cli.js";
import { cleanUp } from "../support/migrations.js";
import { createRepository, type TestRepository } from "../support/repository.js";

const cleanups: (() => Promise<void>)[] = [];
afterEach(() => cleanUp(cleanups));

const Started = z.object({ id: z.string() });
const Status = z.object({ status: z.string() });
const WorkerState = z.object({ pid: z.int().positive() });

const SPEC = `
version: 1
name: crash
target: next
phases:
  understand: { steps: [{ id: survey, uses: survey }] }
  guardrail: { features: [{ id: stands, description: it stands, test: "true" }] }
  migrate:
    steps:
      - { id: one, run: "echo 1 >> steps.txt" }
      - id: two
        needs: [one]
        run: |
          echo 2 >> steps.txt
          echo stray > "stray.$TOWPATH_ATTEMPT.$$"
          echo run >> "$TOWPATH_DIR/../../runs"
          while [ ! -e "$TOWPATH_DIR/../../go" ]; do sleep 0.1; done
          rm stray.*
        retry: { max-attempts: 1 }
      - { id: three, needs: [two], run: "echo 3 >> steps.txt" }
`;

async function start(home: Home, repository: TestRepository): Promise<string> {
  const answer = await home.run(["start", repository.path, "--allow-host", "--json"]);
  expect(answer).toMatchObject({ code: 0 });
  return Started.parse(JSON.parse(answer.stdout)).id;
}

async function workerPid(home: Home): Promise<number> {
  return WorkerState.parse(JSON.parse(await readFile(join(home.dataDir, "worker", "state.json"), "utf8")))
    .pid;
}

async function linesOf(path: string): Promise<number> {
  const text = await readFile(path, "utf8").catch(() => "");
  return text.split("\n").filter((line) => line !== "").length;
}

describe("a worker that is killed inside a step", () => {
  it("is succeeded by another, which undoes the half step and finishes with one commit a step", async () => {
    const home = await makeHome("own");
    cleanups.push(() => home.remove());
    const repository = await createRepository(join(home.dataDir, "..", "project"), {
      "steps.txt": "",
      "towpath.yaml": SPEC,
    });
    const before = await repository.snapshot();
    const id = await start(home, repository);
    const runs = join(home.dataDir, "runs");
    await expect.poll(() => linesOf(runs), { timeout: 90_000 }).toBe(1);

    process.kill(await workerPid(home), "SIGKILL");
    expect(await home.run(["up"])).toMatchObject({ code: 0 });
    await expect.poll(() => linesOf(runs), { timeout: 90_000 }).toBe(2);
    await writeFile(join(home.dataDir, "go"), "");
    await expect
      .poll(async () => Status.parse(JSON.parse((await home.run(["status", id, "--json"])).stdout)).status, {
        timeout: 90_000,
        interval: 500,
      })
      .toBe("completed");

    const branch = `towpath/${id}`;
    const log = await repository.git(
      "log",
      "--reverse",
      "--format=%(trailers:key=Towpath-Step,valueonly,separator=)",
      `main..${branch}`,
    );
    expect(log.split("\n")).toEqual(["one", "two", "three"]);
    expect(await repository.git("show", `${branch}:steps.txt`)).toBe("1\n2\n3");
    expect(await repository.git("ls-tree", "--name-only", branch)).toBe("steps.txt\ntowpath.yaml");
    expect(await repository.snapshot()).toBe(before);

    const manifest = await new MigrationStore({ dataDir: home.dataDir }).readManifest(id);
    expect(manifest.steps?.["two"]).toMatchObject({ status: "completed", attempts: 1 });
    const tags = (await repository.git("tag", "--list", `${branch}/*`)).split("\n");
    expect(tags.sort()).toEqual([...manifest.checkpoints].sort());
  }, 300_000);
});
