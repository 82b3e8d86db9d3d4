import { randomBytes } from "node:crypto";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { MigrationStore } from "../../../src/adapters/store/migration-store.js";
import { COMMANDS } from "../../../src/client/commands.js";
import { createMigrationId } from "../../../src/model/ids.js";
import { createManifest } from "../../../src/model/transitions.js";
import type { CliAnswer } from "../../support/cli.js";
import { createRepository, temporaryDirectory, type TestRepository } from "../../support/repository.js";
import { runUnreachable } from "../../support/unreachable.js";

const SPEC = `version: 1
name: letters
target: next
secrets: [MY_TOKEN]
params:
  floor: { type: choice, options: ["1", "2"], default: "2" }
baseline: { run: "echo canary-secret", report: b.xml }
phases:
  guardrail:
    features:
      - { id: usage, description: prints usage, test: ./usage-before, test-after: ./usage-after }
  migrate:
    steps:
      - { id: second, needs: [first], agent: { command: my-agent, prompt: "do it" } }
      - { id: first, run: "echo one\\necho two", verify: [./check], retry: { max-attempts: 3 } }
    gate: { ratchet: [{ name: idioms, run: ./count, max: 3 }], approval: { required: 2, timeout: 7d } }
`;

const cleanups: (() => Promise<void>)[] = [];
let repository: TestRepository;
let dataDir: string;

beforeEach(async () => {
  const directory = await temporaryDirectory(cleanups);
  dataDir = join(directory, "data");
  repository = await createRepository(join(directory, "project"), { "towpath.yaml": SPEC, "sub/a.txt": "a" });
});
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** One command line, on a machine where no Temporal can be reached. */
function towpath(args: readonly string[], env: Record<string, string> = {}): Promise<CliAnswer> {
  return runUnreachable({ dataDir, cwd: repository.path, columns: Number.POSITIVE_INFINITY, env }, args);
}

async function createMigration(createdAt: string): Promise<string> {
  const now = new Date(createdAt);
  const id = createMigrationId({ now, codebase: repository.path, random: randomBytes(3) });
  const manifest = createManifest({ id, source: repository.path, target: "next", mode: "spec", now });
  await new MigrationStore({ dataDir }).create(manifest, "test");
  return id;
}

async function writeLog(id: string, step: string, name: string, text: string): Promise<void> {
  const directory = join(dataDir, "migrations", id, "logs", step);
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, name), text);
}

describe("start", () => {
  it("shows in a dry run every command that would run, in order", async () => {
    const { code, stdout } = await towpath(["start", "--dry-run"]);
    expect(code).toBe(0);
    const commands = [
      "./usage-before",
      "./usage-after",
      "| echo one",
      "| echo two",
      "./check",
      "my-agent",
      "do it",
      "./count",
    ];
    const places = commands.map((command) => stdout.indexOf(command));
    expect(places.every((place) => place > 0)).toBe(true);
    expect(places).toEqual([...places].sort((a, b) => a - b));
    expect(stdout).toContain("approved by 2 people within 7d, else pause");
  });

  it("gives the dry run's plan to scripts, and writes nothing", async () => {
    const { stdout } = await towpath([
      "start",
      "sub",
      "--spec",
      "towpath.yaml",
      "--dry-run",
      "--json",
      "--param",
      "floor=1",
    ]);
    expect(JSON.parse(stdout)).toMatchObject({
      dryRun: true,
      mode: "spec",
      source: join(repository.path, "sub"),
      params: { floor: "1" },
      host: "consent needed",
      secrets: [{ name: "MY_TOKEN", set: false }],
      phases: [
        { phase: "understand" },
        { phase: "guardrail" },
        { steps: [{ id: "first", maxAttempts: 3 }, { id: "second" }] },
        {},
      ],
    });
    await expect(readdir(dataDir)).rejects.toMatchObject({ code: "ENOENT" });
  });

  it("masks a secret that the spec spells out", async () => {
    for (const args of [
      ["start", "--dry-run"],
      ["start", "--dry-run", "--json"],
    ]) {
      const { stdout } = await towpath(args, { MY_TOKEN: "canary-secret" });
      expect(stdout).not.toContain("canary-secret");
      expect(stdout).toContain("***");
    }
  });

  it.each([
    [["start", "/nonexistent-path"], 2, "does not exist"],
    [["start", "--param", "floor"], 2, "not of the form name=value"],
    [["start", "--param", "flor=1"], 2, "did you mean `floor`"],
    [["start", "--param", "floor=3"], 2, "expected one of 1, 2"],
    [["start", "--target", "other"], 2, "contradicts the spec"],
    [["start", "--spec", "missing.yaml"], 2, "There is no spec at missing.yaml"],
    [["start", "sub"], 2, "start hands-on with --target"],
    [["start", "sub", "--target", "x", "--param", "a=b"], 2, "means nothing without a spec"],
    [["start", "sub/a.txt", "--target", "x"], 2, "is no directory"],
    [["start"], 4, "--allow-host"],
    [["start", "--allow-host"], 6, "127.0.0.1:1"],
  ])("refuses %j with exit code %i", async (args, code, text) => {
    const answer = await towpath(args);
    expect(answer.stderr).toContain(text);
    expect(answer.code).toBe(code);
  });

  it("asks nobody where the project's consent is remembered", async () => {
    await mkdir(dataDir);
    const consents = { version: 1, projects: { [repository.path]: { at: "", by: "Ann" } } };
    await writeFile(join(dataDir, "consents.json"), JSON.stringify(consents));
    expect((await towpath(["start", "--dry-run"])).stdout).toContain("consent is given");
  });

  it("shows a spec's problems where they are", async () => {
    await repository.write({ "bad.yaml": SPEC.replace("verify: [./check]", "verifi: [./check]") });
    const { code, stderr } = await towpath(["start", "--spec", "bad.yaml"]);
    expect(code).toBe(2);
    expect(stderr).toMatch(/bad\.yaml:15:\d+: unknown key `verifi` \(did you mean `verify`\?\)/);
  });
});

describe("validate", () => {
  it("says what a valid spec does", async () => {
    expect(await towpath(["validate"])).toMatchObject({
      code: 0,
      stdout: "towpath.yaml: valid (letters → next, 2 steps)\n",
    });
  });

  it("lists problems as its answer", async () => {
    await repository.write({ "bad.yaml": `${SPEC}foo: 1\n` });
    const text = await towpath(["validate", "bad.yaml"]);
    expect(text).toMatchObject({
      code: 2,
      stdout: expect.stringMatching(/^bad\.yaml:17:1: .*foo.*\n1 problem\n$/) as unknown,
    });
    const json = await towpath(["validate", "bad.yaml", "--json"]);
    expect(json.code).toBe(2);
    expect(JSON.parse(json.stdout)).toMatchObject({
      valid: false,
      problems: [{ line: 17, column: 1, path: "foo" }],
    });
  });
});

describe("schema", () => {
  it("is a JSON Schema, with and without --json", async () => {
    const { stdout } = await towpath(["schema"]);
    expect(JSON.parse(stdout)).toMatchObject({ $schema: "https://json-schema.org/draft/2020-12/schema" });
    expect((await towpath(["schema", "--json"])).stdout).toBe(stdout);
  });
});

describe("what is known of a migration without Temporal", () => {
  it("is shown", async () => {
    const id = await createMigration("2026-01-01T00:00:00.000Z");
    expect(await towpath(["status", id, "--local"])).toMatchObject({ code: 0 });
    expect(await towpath(["plan", id])).toMatchObject({ code: 0 });
    expect(await towpath(["gates", id])).toMatchObject({ code: 0 });
  });

  it("lists corrupt migrations beside the others", async () => {
    const older = await createMigration("2026-01-01T00:00:00.000Z");
    const corrupt = "mig_20260102_000000_corrupt-000000";
    await mkdir(join(dataDir, "migrations", corrupt), { recursive: true });
    await writeFile(join(dataDir, "migrations", corrupt, "manifest.json"), "{");
    const lines = (await towpath(["list", "--local"])).stdout.trim().split("\n");
    expect(lines).toHaveLength(3);
    expect(lines[1]).toContain(older);
    expect(lines[2]).toMatch(new RegExp(`^${corrupt} +corrupt `));
  });

  it("takes @latest for the newest, and a beginning for the one that has it", async () => {
    const older = await createMigration("2026-01-01T00:00:00.000Z");
    const newer = await createMigration("2026-01-02T00:00:00.000Z");
    expect((await towpath(["status", "@latest", "--local"])).stdout).toContain(newer);
    expect((await towpath(["status", "mig_20260101", "--local"])).stdout).toContain(older);
    expect(await towpath(["status", "mig_2026", "--local"])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining(older) as unknown,
    });
  });

  it.each([["rollback", "one"], ["skip", "one", "--reason", "r"], ["reject"], ["stop"]])(
    "is not destroyed by %s without --yes",
    async (command, ...more) => {
      const id = await createMigration("2026-01-01T00:00:00.000Z");
      const [step, ...options] = more;
      const answer = await towpath([command, id, ...(step === undefined ? [] : [step]), ...options]);
      expect(answer).toMatchObject({ code: 2, stderr: expect.stringContaining("--yes") as unknown });
    },
  );

  it("needs a reason to skip", async () => {
    expect(await towpath(["skip", "mig_x", "one", "--yes"])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("--reason: say why") as unknown,
    });
  });
});

describe("logs", () => {
  it("prints the newest attempt, without what would move the cursor", async () => {
    const id = await createMigration("2026-01-01T00:00:00.000Z");
    await writeLog(id, "setup", "attempt-1.run.log", "old\n");
    await writeLog(id, "setup", "attempt-2.run.log", "\u001B[31mred\u001B[0m\r\n\u001B]0;title\u0007no end");
    const { stdout } = await towpath(["logs", id, "setup"]);
    expect(stdout).toBe("==> setup, attempt 2: run <==\nred\nno end\n");
    expect((await towpath(["logs", id, "setup", "--attempt", "1"])).stdout).toContain("old");
  });

  it("lists what there is, and names it where a step is not known", async () => {
    const id = await createMigration("2026-01-01T00:00:00.000Z");
    await writeLog(id, "setup", "attempt-1.run.log", "four");
    expect((await towpath(["logs", id])).stdout).toMatch(/setup +1 +run +4 /);
    expect(JSON.parse((await towpath(["logs", id, "--json"])).stdout)).toMatchObject({
      logs: [{ step: "setup", attempt: 1, what: "run", bytes: 4 }],
    });
    expect(await towpath(["logs", id, "stup"])).toMatchObject({
      code: 3,
      stderr: expect.stringContaining("there are logs of setup") as unknown,
    });
  });

  it("refuses names that lead elsewhere", async () => {
    const id = await createMigration("2026-01-01T00:00:00.000Z");
    expect((await towpath(["logs", id, "../state"])).code).toBe(2);
  });
});

describe("help", () => {
  it.each(COMMANDS.map((command) => command.name))("of %s names --json", async (name) => {
    const { code, stdout } = await towpath([...name.split(" "), "--help"]);
    expect(code).toBe(0);
    expect(stdout).toContain("--json");
  });
});
