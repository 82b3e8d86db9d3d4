import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { z } from "zod";
import { MigrationStore } from "../../src/adapters/store/migration-store.js";
import { type Home, makeHome } from "../support/cli.js";
import { describeWithEngine, TestEngine } from "../support/engine.js";
import { cleanUp } from "../support/migrations.js";
import { createRepository } from "../support/repository.js";

const engine = new TestEngine();
const image = `${engine.name}/tools:1`;
const cleanups: (() => Promise<void>)[] = [];
afterEach(() => cleanUp(cleanups));

const Started = z.object({ id: z.string() });
const Status = z.object({ status: z.string() });
const WorkerState = z.object({ pid: z.int().positive() });

const SPEC = `
version: 1
name: crash
target: next
defaults: { container: "${image}" }
phases:
  understand: { steps: [{ id: survey, uses: survey }] }
  guardrail: { features: [{ id: stands, description: it stands, test: "true" }] }
  migrate:
    steps:
      - { id: one, run: "echo 1 >> steps.txt" }
      - id: two
        needs: [one]
        run: |
          echo "begun as $(hostname)"
          echo 2 >> steps.txt
          echo run >> ignored-runs
          while [ ! -e go ]; do sleep 0.1; done
          rm go
          echo "done as $(hostname)"
          exit "$(cat code)"
        retry: { max-attempts: 1 }
        continue-on-error: true
      - { id: three, needs: [two], run: "echo 3 >> steps.txt" }
`;

async function statusOf(home: Home, id: string): Promise<string> {
  return Status.parse(JSON.parse((await home.run(["status", id, "--json"])).stdout)).status;
}

async function killWorker(home: Home): Promise<void> {
  const text = await readFile(join(home.dataDir, "worker", "state.json"), "utf8");
  process.kill(WorkerState.parse(JSON.parse(text)).pid, "SIGKILL");
}

/** The step's lease is of a later execution. */
async function takenOver(home: Home, id: string): Promise<void> {
  const store = new MigrationStore({ dataDir: home.dataDir });
  const execution = async () => (await store.readManifest(id)).lease?.execution;
  await expect.poll(execution, { timeout: 90_000 }).toBeGreaterThan(1);
}

async function ended(container: string): Promise<void> {
  const isRunning = async () => (await engine.docker.getContainer(container).inspect()).State.Running;
  await expect.poll(isRunning, { timeout: 90_000 }).toBe(false);
}

/** Ids of all containers of a step that ever ran, by the engine's own record of what was created. */
async function createdContainers(id: string, step: string, sinceSeconds: number): Promise<string[]> {
  const stream = await engine.docker.getEvents({
    since: sinceSeconds,
    until: Math.floor(Date.now() / 1000),
    filters: {
      type: ["container"],
      event: ["create"],
      label: [`towpath.workflow-id=${id}`, `towpath.step-id=${step}`],
    },
  });
  const pieces: Buffer[] = [];
  for await (const piece of stream) pieces.push(Buffer.from(piece));
  const Event = z.looseObject({ id: z.string() });
  return Buffer.concat(pieces)
    .toString("utf8")
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => Event.parse(JSON.parse(line)).id);
}

describeWithEngine("a worker that is killed while a step runs in a container", () => {
  beforeAll(async () => {
    await engine.image(image);
  });
  afterAll(() => engine.remove());

  it.each([
    { code: 0, whileAway: false, expected: "1\n2\n3", status: "completed" },
    { code: 9, whileAway: true, expected: "1\n3", status: "failed" },
  ])(
    "is succeeded by one that takes the same container over, and its exit code $code (ended meanwhile: $whileAway)",
    async ({ code, whileAway, expected, status }) => {
      const since = Math.floor(Date.now() / 1000);
      const home = await makeHome("own");
      cleanups.push(() => home.remove());
      const repository = await createRepository(join(home.dataDir, "..", "project"), {
        "steps.txt": "",
        "towpath.yaml": SPEC,
        ".gitignore": "ignored-runs\ngo\ncode\n",
      });
      const before = await repository.snapshot();
      const answer = await home.run(["start", repository.path, "--json"], engine.env);
      expect(answer).toMatchObject({ code: 0 });
      const { id } = Started.parse(JSON.parse(answer.stdout));
      const worktree = join(home.dataDir, "workspaces", id);
      const runs = join(worktree, "ignored-runs");
      await expect.poll(() => readFile(runs, "utf8").catch(() => ""), { timeout: 90_000 }).toBe("run\n");
      const labels = { "towpath.workflow-id": id, "towpath.step-id": "two" };
      const [container = ""] = await engine.containersWith(labels);
      await writeFile(join(worktree, "code"), String(code));

      await killWorker(home);
      if (whileAway) {
        await writeFile(join(worktree, "go"), "");
        await ended(container);
      }
      expect(await engine.containersWith(labels)).toEqual([container]);
      expect(await home.run(["up"], engine.env)).toMatchObject({ code: 0 });
      if (!whileAway) {
        await takenOver(home, id);
        await writeFile(join(worktree, "go"), "");
      }
      await expect.poll(() => statusOf(home, id), { timeout: 90_000, interval: 500 }).toBe("completed");

      const branch = `towpath/${id}`;
      expect(await repository.git("show", `${branch}:steps.txt`)).toBe(expected);
      const store = new MigrationStore({ dataDir: home.dataDir });
      const { steps } = await store.readManifest(id);
      expect(steps?.["two"]).toMatchObject({ status, attempts: 1 });
      expect(steps?.["two"]?.failure?.message ?? "exited with code 0").toContain(`exited with code ${code}`);
      expect(await createdContainers(id, "two", since)).toEqual([container]);
      expect(await engine.containersWith({ "towpath.workflow-id": id })).toEqual([]);
      const log = await readFile(join(store.paths(id).logs, "two", "attempt-1.run.log"), "utf8");
      expect(log.match(/begun as/g)).toHaveLength(1);
      expect(log.match(/done as/g)).toHaveLength(1);
      expect(await repository.snapshot()).toBe(before);
    },
    240_000,
  );
});
