import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { makeHome, type CliAnswer, type Home } from "../support/cli.js";
import { createRepository, temporaryDirectory, type TestRepository } from "../support/repository.js";

const SPEC = `version: 1
name: letters
target: next
params:
  word: { type: string, default: two }
phases:
  understand:
    steps: [{ id: survey, uses: survey }]
  guardrail:
    features: [{ id: stands, description: a.txt is there, test: "test -e a.txt" }]
    gate: { approval: { required: 1 } }
  migrate:
    steps:
      - { id: one, run: "echo one >> a.txt", verify: ["grep one a.txt"] }
      - { id: two, needs: [one], run: 'test -e "$HOME/go" || { echo not yet; exit 1; }; echo "\${{ params.word }}" >> a.txt' }
  verify:
    steps: [{ id: check, run: "grep word-from-the-user a.txt" }]
`;

const Started = z.object({ id: z.string(), link: z.string() });
const Status = z.object({
  migrationId: z.string(),
  status: z.string(),
  waiting: z.object({ kind: z.string(), tree: z.string().optional() }).nullable(),
});
const Failure = z.object({ error: z.object({ type: z.string(), message: z.string() }) });

const cleanups: (() => Promise<void>)[] = [];
let home: Home;
let repository: TestRepository;
let before: string;

beforeAll(async () => {
  home = await makeHome("own");
  cleanups.push(() => home.remove());
  const directory = await temporaryDirectory(cleanups);
  repository = await createRepository(join(directory, "project"), { "a.txt": "a\n", "towpath.yaml": SPEC });
  before = await repository.snapshot();
}, 300_000);
afterAll(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function ok(...args: string[]): Promise<CliAnswer> {
  const answer = await home.run(args);
  expect({ code: answer.code, stderr: answer.stderr }).toMatchObject({ code: 0 });
  return answer;
}

async function statusOf(id: string): Promise<z.infer<typeof Status>> {
  return Status.parse(JSON.parse((await ok("status", id, "--json")).stdout));
}

async function waitsFor(id: string, kind: string): Promise<z.infer<typeof Status>> {
  await expect.poll(() => statusOf(id), { timeout: 90_000 }).toMatchObject({ waiting: { kind } });
  return statusOf(id);
}

async function start(...args: string[]): Promise<z.infer<typeof Started>> {
  const answer = await ok("start", repository.path, "--allow-host", "--json", ...args);
  return Started.parse(JSON.parse(answer.stdout));
}

async function refused(code: number, type: string, ...args: string[]): Promise<string> {
  const answer = await home.run([...args, "--json"]);
  const { error } = Failure.parse(JSON.parse(answer.stdout));
  expect({ code: answer.code, type: error.type }).toEqual({ code, type });
  return error.message;
}

describe("the migration commands", { timeout: 300_000 }, () => {
  it("show with --dry-run what would be done, and leave no trace", async () => {
    const answer = await ok("start", repository.path, "--dry-run");
    expect(answer.stdout).toContain("test -e a.txt");
    expect(answer.stdout).toContain("consent is needed");
    await expect(readdir(home.dataDir)).rejects.toMatchObject({ code: "ENOENT" });
  });

  it("run nothing of a spec on the host before somebody agreed", async () => {
    const message = await refused(4, "ConsentRequired", "start", repository.path);
    expect(message).toContain("--allow-host");
    await expect(readdir(home.dataDir)).rejects.toMatchObject({ code: "ENOENT" });
  });

  it("take a migration from its start through approval, failure and rollback to its end", async () => {
    const { id, link } = await start("--param", "word=word-from-the-user");
    expect(link).toContain(id);
    const { waiting } = await waitsFor(id, "approval");

    expect(await refused(4, "ApprovalRefused", "approve", id, "--tree", "0".repeat(40))).toContain(
      waiting?.tree,
    );
    const approved = await ok("approve", "@latest", "--as", "Bob", "--comment", "looks right");
    expect(approved.stdout).toContain("Phase guardrail approved by Bob");

    await waitsFor(id, "step-failed");
    expect((await ok("status", id)).stdout).toContain(`towpath skip ${id} two --reason`);
    expect((await ok("logs", id, "two")).stdout).toContain("not yet");
    expect((await ok("plan", id)).stdout).toMatch(/\[x\] {2}one[^]*\[!\] {2}two/);
    expect((await ok("gates", id)).stdout).toContain("approved by Bob");
    await refused(4, "PhaseStatus", "advance", id, "verify");
    await refused(2, "UnknownPhase", "advance", id, "nowhere");
    await refused(2, "Usage", "rollback", id, "one");
    await refused(3, "StepNotFound", "rollback", id, "three", "--yes");

    expect((await ok("rollback", id, "one", "--yes")).stdout).toContain("undone head is kept as tag");
    await waitsFor(id, "step-failed");
    await repository.git("rev-parse", "--verify", `towpath/${id}/undone/1`);
    await refused(2, "Usage", "skip", id, "two", "--reason", "why not");
    await ok("pause", id);
    await home.run(["retry", id]);
    await ok("resume", id);
    await waitsFor(id, "step-failed");

    const watching = home.spawn(["watch", id]);
    const watched = { code: -1, stdout: "" };
    watching.stdout?.on("data", (chunk: Buffer) => (watched.stdout += chunk.toString()));
    watching.once("close", (code) => (watched.code = code ?? -1));
    // It has seen the migration wait before that goes on.
    await expect.poll(() => watched.stdout, { timeout: 90_000 }).toContain("step two failed");
    await writeFile(join(home.env.HOME ?? "", "go"), "");
    await ok("retry", id);
    await expect.poll(() => watched.code, { timeout: 90_000 }).toBe(0);
    expect(watched.stdout).toMatch(
      /step two completed[^]*phase verify completed[^]*completed\. Branch: towpath\//,
    );

    expect((await ok("list")).stdout).toMatch(new RegExp(`${id} +completed +verify +100 %`));
    expect(await refused(4, "WrongStatus", "pause", id)).toContain("is over (completed)");
    expect(await repository.git("show", `towpath/${id}:a.txt`)).toBe("a\none\nword-from-the-user");
    expect(await repository.snapshot()).toBe(before);
  });

  it("answer with exit code 5 when a migration that is waited for is rejected", async () => {
    const { id } = await start();
    await waitsFor(id, "approval");
    const watching = home.run(["watch", id, "--json"]);
    await refused(2, "Usage", "reject", id);
    await ok("reject", id, "--yes", "--comment", "not like this");
    const watched = await watching;
    expect(watched.code).toBe(5);
    const lines = watched.stdout
      .trim()
      .split("\n")
      .map((line): unknown => JSON.parse(line));
    expect(lines.at(-1)).toMatchObject({ id, status: "rejected", ended: true });
  });

  it("stop a hands-on migration, whose gate refuses what is not there", async () => {
    const directory = await temporaryDirectory(cleanups);
    const { path } = await createRepository(join(directory, "hands"), { "a.txt": "a\n" });
    const answer = await ok("start", path, "--target", "next", "--json");
    const { id } = Started.parse(JSON.parse(answer.stdout));
    await waitsFor(id, "advance");
    const message = await refused(4, "PhaseGate", "advance", id, "understand");
    expect(message).toBe("Phase gate failed: no documentation generated in docs/; seams.json does not exist");
    expect((await ok("stop", id, "--yes")).stdout).toContain("is stopped");
    expect(await statusOf(id)).toMatchObject({ status: "stopped", waiting: null });
  });

  it("say which migrations are meant, or that there is none", async () => {
    expect(await refused(3, "MigrationNotFound", "status", "mig_1")).toBe("Migration not found: mig_1");
    const nobody = "mig_20200101_000000_nobody-000000";
    expect(await refused(3, "MigrationNotFound", "status", nobody)).toBe(`Migration not found: ${nobody}`);
    await refused(3, "MigrationNotFound", "retry", nobody);
    expect(await refused(2, "Usage", "status", "mig_")).toContain("begins the ids of 3 migrations");
    await refused(2, "InvalidMigrationId", "status", "../x");
  });

  it("ask the directory alone with --local, and say with exit code 6 that Temporal is not there", async () => {
    const nowhere = { TEMPORAL_ADDRESS: "127.0.0.1:1" };
    expect((await home.run(["status", "@latest"], nowhere)).code).toBe(6);
    expect(await home.run(["status", "@latest", "--local"], nowhere)).toMatchObject({ code: 0 });
    expect(await home.run(["list", "--local"], nowhere)).toMatchObject({ code: 0 });
  });
});
