import { readdirSync } from "node:fs";
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { CommandDefinition } from "../../src/client/command.js";
import { COMMANDS } from "../../src/client/commands.js";
import { makeHome, type Home } from "../support/cli.js";
import { createRepository } from "../support/repository.js";
import { installation } from "../support/installation.js";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** The commands of a page, in their order, as one script. */
async function scriptOf(page: string): Promise<string> {
  const text = await readFile(path.join(root, "docs", page), "utf8");
  const blocks = [...text.matchAll(/^ *```sh\n(?<script>[\s\S]*?)^ *```$/gm)];
  return blocks.map((match) => match.groups?.["script"] ?? "").join("\n");
}

const NODE_PROJECT = {
  "package.json": JSON.stringify({ name: "my-project", version: "1.0.0", scripts: { test: "node --test" } }),
  "package-lock.json": JSON.stringify({
    name: "my-project",
    version: "1.0.0",
    lockfileVersion: 3,
    packages: { "": { name: "my-project", version: "1.0.0" } },
  }),
  "index.js": "exports.add = (a, b) => a + b;\n",
  "test/add.test.js":
    'const { test } = require("node:test");\nconst { add } = require("../index.js");\ntest("adds", () => require("node:assert").equal(add(1, 2), 3));\n',
};

function specWith(step: string): string {
  return `version: 1
name: my-project
target: next
phases:
  understand: { steps: [{ id: survey, uses: survey }] }
  guardrail:
    features: [{ id: there, description: the code is there, test: test -e index.js }]
  migrate:
    steps:
      - ${step}
`;
}

/** A program that repairs only what it is told of. */
const AGENT = `id: port
        agent:
          command: 'grep -q "not yet" && echo done >> index.js || true'
          prompt: "Port it. \${{ attempt.feedback }}"
        verify: ["grep -q done index.js || { echo not yet; exit 1; }"]
        retry: { max-attempts: 2, backoff: 1ms }`;

let home: Home;
let scratch: string;
let bin: string;

beforeAll(async () => {
  home = await makeHome("own");
  scratch = await mkdtemp(path.join(tmpdir(), "towpath-docs-"));
  bin = path.join(scratch, "bin");
  await mkdir(bin);
  await writeFile(
    path.join(bin, "towpath"),
    `#!/bin/sh\nexec "${process.execPath}" "${await installation("own")}" "$@"\n`,
  );
  await chmod(path.join(bin, "towpath"), 0o755);
}, 300_000);
afterAll(async () => {
  await home.remove();
  await rm(scratch, { recursive: true, force: true });
});

async function run(script: string, cwd: string) {
  return execa("bash", ["-e", "-c", script], {
    cwd,
    env: { ...home.env, PATH: `${bin}:${process.env["PATH"] ?? ""}` },
    extendEnv: false,
    reject: false,
    all: true,
  });
}

async function project(name: string, files: Record<string, string>): Promise<string> {
  return (await createRepository(path.join(scratch, name, "my-project"), files)).path;
}

/** `towpath …` as it stands in a document's text: the command's words, and the long options behind them. */
function mentionsIn(text: string): { words: string[]; options: string[] }[] {
  return [...text.matchAll(/(?:^|`)towpath (?<rest>[a-z][^`\n]*)/gm)].map((match) => {
    const words = (match.groups?.["rest"] ?? "").split(/\s+/);
    return { words, options: words.flatMap((word) => /^--[a-z-]+/.exec(word)?.[0] ?? []) };
  });
}

function definitionOf(words: readonly string[]): CommandDefinition | undefined {
  return COMMANDS.find(({ name }) => name.split(" ").every((word, index) => word === words[index]));
}

describe("every command that a document names", () => {
  const documents = ["README.md", ...readdirSync(path.join(root, "docs")).map((name) => `docs/${name}`)];

  it.each(documents)("in %s exists, with its options", async (document) => {
    const text = await readFile(path.join(root, document), "utf8");
    const unknown = mentionsIn(text).flatMap(({ words, options }) => {
      const known = definitionOf(words)?.options?.map(({ flags }) => /--[a-z-]+/.exec(flags)?.[0]) ?? [];
      const odd = options.filter((option) => !["--help", "--json", "--version", ...known].includes(option));
      return definitionOf(words) === undefined || odd.length > 0 ? [words.join(" ")] : [];
    });
    expect(unknown).toEqual([]);
  });
});

describe("the commands of the documentation", { timeout: 300_000 }, () => {
  it("of the first steps lead to a verified branch", async () => {
    const directory = await project("first", NODE_PROJECT);
    const answer = await run(await scriptOf("getting-started.md"), path.dirname(directory));
    expect(answer).toMatchObject({ exitCode: 0 });
    expect(answer.all).toContain("npm by node --test");
    const { stdout } = await execa("git", ["branch", "--list", "towpath/*"], { cwd: directory });
    expect(stdout).toContain("towpath/mig_");
  });

  it("of agents show each attempt", async () => {
    const directory = await project("agents", { ...NODE_PROJECT, "towpath.yaml": specWith(AGENT) });
    const answer = await run(await scriptOf("agents.md"), directory);
    expect(answer).toMatchObject({ exitCode: 0 });
  });

  it("of security run", async () => {
    const directory = await project("security", { ...NODE_PROJECT, "towpath.yaml": specWith(AGENT) });
    const answer = await run(await scriptOf("security.md"), directory);
    expect(answer).toMatchObject({ exitCode: 0 });
    expect(answer.all).toContain("grep -q done index.js");
  });

  it("of troubleshooting help a step that failed", async () => {
    const failing = specWith('{ id: change, run: "exit 3" }');
    const directory = await project("trouble", { ...NODE_PROJECT, "towpath.yaml": failing });
    await run("towpath start --allow-host", directory);
    await expect
      .poll(async () => (await run("towpath status @latest --json", directory)).stdout, { timeout: 90_000 })
      .toContain('"kind": "step-failed"');
    await writeFile(path.join(directory, "towpath.yaml"), specWith('{ id: change, run: "true" }'));
    const answer = await run(await scriptOf("troubleshooting.md"), directory);
    expect(answer).toMatchObject({ exitCode: 0 });
    await expect
      .poll(async () => (await run("towpath status @latest --json", directory)).stdout, { timeout: 90_000 })
      .toContain('"status": "completed"');
  });
});
