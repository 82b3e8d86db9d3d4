import { cp, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { createRepository } from "../support/repository.js";
import { ROOT, shellBlocks, textOf } from "./pages.js";

/** What a clone does not have. */
const LEFT_OUT: ReadonlySet<string> = new Set([".git", "node_modules", "dist", "test-results"]);

const PROJECT = {
  "package.json": JSON.stringify({ name: "shop", version: "1.0.0", scripts: { test: "node --test" } }),
  "package-lock.json": JSON.stringify({
    name: "shop",
    version: "1.0.0",
    lockfileVersion: 3,
    packages: { "": { name: "shop", version: "1.0.0" } },
  }),
  "src/index.js": "exports.parseArgs = (text) => text.split(' ');\n",
  "test/index.test.js":
    'const { test } = require("node:test");\nconst { parseArgs } = require("../src/index.js");\ntest("splits", () => require("node:assert").deepEqual(parseArgs("a b"), ["a", "b"]));\n',
};

const [DEMO = "", INSTALL = "", START = "", TEST = ""] = shellBlocks("README.md");

let scratch: string;
let clone: string;
let prefix: string;
let env: Record<string, string>;

beforeAll(async () => {
  scratch = await mkdtemp(path.join(tmpdir(), "towpath-readme-"));
  clone = path.join(scratch, "clone");
  await cp(ROOT, clone, {
    recursive: true,
    filter: (source) => !LEFT_OUT.has(path.relative(ROOT, source)),
  });
  prefix = path.join(scratch, "prefix");
  env = {
    PATH: `${path.join(prefix, "bin")}:${process.env["PATH"] ?? ""}`,
    HOME: path.join(scratch, "home"),
    npm_config_cache: path.join(scratch, "npm"),
    NO_COLOR: "1",
    ...(process.env["TOWPATH_TEMPORAL_CLI"] === undefined
      ? {}
      : { TOWPATH_TEMPORAL_CLI: process.env["TOWPATH_TEMPORAL_CLI"] }),
  };
}, 300_000);
afterAll(async () => {
  await run("towpath down", scratch);
  await rm(scratch, { recursive: true, force: true, maxRetries: 5 });
}, 300_000);

async function run(script: string, cwd: string, more: Record<string, string> = {}) {
  return execa("bash", ["-e", "-c", script], {
    cwd,
    env: { ...env, ...more },
    extendEnv: false,
    reject: false,
    all: true,
  });
}

async function succeeds(script: string, cwd: string, more: Record<string, string> = {}): Promise<string> {
  const { exitCode, all } = await run(script, cwd, more);
  if (exitCode !== 0) throw new Error(`${script} ended with ${exitCode}:\n${all}`);
  return all;
}

describe("who follows the README in a fresh clone, with an empty home", { timeout: 1_800_000 }, () => {
  it("is told what is missing before anything was built", async () => {
    const { exitCode, all } = await run(`node ${clone}/bin/towpath.js list`, scratch);
    expect(exitCode).toBe(1);
    expect(all).toMatch(/^error: Towpath is not built in .*clone\/\nRun `npm ci && npm run build` there\.$/);
  });

  it("sees the demo come to a verified branch", async () => {
    expect(DEMO).toContain("npm run demo");
    const said = await succeeds(DEMO, clone);
    expect(said).toMatch(/branch +towpath\/mig_/);
    expect(said).toContain("The source checkout is as it was");
  });

  it("comes to a migration of their own", async () => {
    // Only here: npm reads the settings for the whole machine from below its prefix.
    await succeeds(INSTALL, clone, { npm_config_prefix: prefix });
    const spec =
      /^```yaml\n(?<spec>version:[\s\S]*?)^```$/m.exec(textOf("README.md"))?.groups?.["spec"] ?? "";
    const repository = await createRepository(path.join(scratch, "shop"), {
      ...PROJECT,
      "towpath.yaml": spec,
    });
    const said = await succeeds(START, repository.path);
    const [, branch = ""] = /completed\. Branch: (?<branch>\S+)/.exec(said) ?? [];
    expect(await repository.git("show", `${branch}:src/index.js`)).toContain("exports.parseArguments");
    expect(await repository.git("status", "--porcelain")).toBe("");
    expect(await succeeds("towpath diff @latest", repository.path)).toContain("+exports.parseArguments");
  });

  it("has the command that checks everything", async () => {
    const { scripts } = z
      .object({ scripts: z.record(z.string(), z.string()) })
      .parse(JSON.parse(await readFile(path.join(ROOT, "package.json"), "utf8")));
    expect(TEST.trim()).toBe("npm ci && npm test");
    expect(scripts["test"]).toBe("node scripts/test.mjs");
  });
});
