import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { lstat, mkdtemp, readFile, readdir, readlink, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { installation } from "../support/installation.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const STEPS = ["install-jest", "codemod", "remove-tape"];

/** The part of a report below the migration's directory that the test reads. */
const StoredReport = z.object({
  report: z.object({ tests: z.array(z.object({ name: z.string(), status: z.string() })) }),
});
const Manifest = z.object({
  status: z.string(),
  base_commit: z.string(),
  branch: z.string(),
  worktree: z.string(),
});
const Feature = z.object({ id: z.string(), passes: z.boolean() });

let cli: string;
let home: string;
let dataDir: string;
let source: string;
let directory: string;
let id: string;
let before: Map<string, string>;

async function towpath(...args: readonly string[]) {
  return execa("node", [cli, ...args], {
    env: { TOWPATH_DATA_DIR: dataDir },
    reject: false,
  });
}

async function git(...args: readonly string[]): Promise<string> {
  const { stdout } = await execa("git", args, { cwd: source, env: { GIT_OPTIONAL_LOCKS: "0" } });
  return stdout;
}

async function readAs<T>(schema: z.ZodType<T>, ...below: readonly string[]): Promise<T> {
  return schema.parse(JSON.parse(await readFile(path.join(directory, ...below), "utf8")));
}

async function names(report: string): Promise<string[]> {
  const { report: content } = await readAs(StoredReport, "reports", report);
  return content.tests
    .filter(({ status }) => status === "passed")
    .map(({ name }) => name)
    .sort();
}

async function contentOf(file: string): Promise<string> {
  const entry = await lstat(file);
  const content = entry.isSymbolicLink() ? await readlink(file) : await readFile(file);
  return `${entry.mode} ${createHash("sha256").update(content).digest("hex")}`;
}

/** Towpath's own directory in a project, which keeps the requirements document. */
const OWN = ".towpath/";

/** Mode and digest of every file of the checkout, its index and HEAD; what else is in .git may change. */
async function checkout(): Promise<Map<string, string>> {
  const files = (await readdir(source, { recursive: true, withFileTypes: true }))
    .filter((entry) => !entry.isDirectory())
    .map((entry) => path.relative(source, path.join(entry.parentPath, entry.name)))
    .filter((file) => !file.startsWith(".git/") || file === ".git/index" || file === ".git/HEAD")
    .filter((file) => !file.startsWith(OWN));
  return new Map(
    await Promise.all(files.map(async (file) => [file, await contentOf(path.join(source, file))] as const)),
  );
}

beforeAll(async () => {
  cli = await installation("own");
  home = await mkdtemp(path.join(tmpdir(), "towpath-example-"));
  dataDir = path.join(home, "data");
  source = path.join(home, "minimist");
  await execa("node", [path.join(root, "examples/minimist-tape-to-jest/prepare.mjs"), source]);
  before = await checkout();
}, 300_000);

afterAll(async () => {
  // Data of a server that still runs must not be taken from under it.
  const down = await towpath("down");
  if (down.exitCode !== 0) throw new Error(`towpath down failed: ${down.stderr}`);
  await rm(home, { recursive: true });
}, 300_000);

describe("the example minimist-tape-to-jest", () => {
  it("completes through the command line", { timeout: 300_000 }, async () => {
    const started = await towpath("start", source, "--allow-host", "--wait");
    expect(started).toMatchObject({ exitCode: 0 });
    id = /^Started (?<id>mig_\S+)/.exec(started.stdout)?.groups?.["id"] ?? "";
    directory = path.join(dataDir, "migrations", id);
    expect(await readAs(Manifest, "manifest.json")).toMatchObject({
      status: "completed",
      branch: `towpath/${id}`,
    });
  });

  it("finds each of the 50 tests of tape again as a passing Jest test", async () => {
    const baseline = await names("baseline.json");
    expect(new Set(baseline).size).toBe(50);
    expect(await names("full-suite.json")).toEqual(baseline);
  });

  it("characterises each of the 50 tests and sees them all pass", async () => {
    const features = await readAs(z.array(Feature), "features.json");
    expect(features).toHaveLength(50);
    expect(features.filter(({ passes }) => !passes)).toEqual([]);
  });

  it("counts the 140 assertions that minimist's own runner counts", async () => {
    const log = await readFile(path.join(directory, "logs", "baseline", "attempt-1.run.log"), "utf8");
    expect(log).toContain("50 tests, 0 failed; 140 assertions (126 in tests, 14 exit codes)");
    const verified = await readFile(
      path.join(directory, "logs", "install-jest", "attempt-1.verify-2.log"),
      "utf8",
    );
    expect(verified).toMatch(/^total .* 140\/140$/m);
  });

  it("leaves a branch with one commit a step, which say whose they are", async () => {
    const { base_commit: base, branch } = await readAs(Manifest, "manifest.json");
    const format =
      "%(trailers:key=Towpath-Migration,valueonly,separator=)%x09%(trailers:key=Towpath-Step,valueonly,separator=)";
    const commits = await git("log", "--reverse", `--format=${format}`, `${base}..${branch}`);
    expect(commits.split("\n")).toEqual(STEPS.map((step) => `${id}\t${step}`));
  });

  it("leaves no tape in the branch, and only what the migration was to change", async () => {
    const { base_commit: base, branch } = await readAs(Manifest, "manifest.json");
    const changed = (await git("diff", "--name-only", base, branch)).split("\n");
    const tests = changed.filter((file) => file.startsWith("test/"));
    expect(tests).toHaveLength(14);
    expect(changed.filter((file) => !tests.includes(file))).toEqual(["package-lock.json", "package.json"]);
    const packageJson = await git("show", `${branch}:package.json`);
    expect(packageJson).not.toMatch(/tape|covert/);
    expect(JSON.parse(packageJson)).toMatchObject({
      scripts: { test: "jest" },
      devDependencies: { jest: "30.5.2", "jest-junit": "17.0.0" },
    });
  });

  it("writes a verification report, and removes the worktree", async () => {
    const report = await readFile(path.join(directory, "docs", "verification-report.md"), "utf8");
    expect(report).toContain("50 of 50 characterised behaviours pass");
    expect(existsSync((await readAs(Manifest, "manifest.json")).worktree)).toBe(false);
    expect(await git("worktree", "list", "--porcelain")).not.toContain(id);
  });

  it("leaves the source checkout byte for byte as it was, but for Towpath's own ignored directory", async () => {
    expect(await checkout()).toEqual(before);
    expect(await git("status", "--porcelain", "--ignored")).toBe(`!! ${OWN}`);
    expect(await git("stash", "list")).toBe("");
    expect(await git("symbolic-ref", "HEAD")).toBe("refs/heads/main");
  });
});
