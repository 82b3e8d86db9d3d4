import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { makeHome, type Home } from "../support/cli.js";

/** Puts the published content of a package into an empty directory. */
type Fetch = (into: string, scratch: string) => Promise<void>;

const cleanups: (() => Promise<void>)[] = [];
let home: Home;
let scratch: string;

beforeAll(async () => {
  home = await makeHome("own");
  cleanups.push(() => home.remove());
  scratch = await mkdtemp(join(tmpdir(), "towpath-init-"));
  cleanups.push(() => rm(scratch, { recursive: true, force: true }));
}, 300_000);
afterAll(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function unpack(archive: string, into: string): Promise<void> {
  await execa("tar", ["-xzf", archive, "--strip-components=1", "-C", into]);
}

async function onlyFile(directory: string, ending: string): Promise<string> {
  const name = (await readdir(directory)).find((each) => each.endsWith(ending));
  if (name === undefined) throw new Error(`${directory} has no ${ending}`);
  return join(directory, name);
}

const npm: Fetch = async (into, work) => {
  await execa("npm", ["pack", "minimist@1.2.0", "--pack-destination", work]);
  await unpack(await onlyFile(work, ".tgz"), into);
};

const pypi: Fetch = async (into, work) => {
  await execa("python3", [
    "-m",
    "pip",
    "download",
    "--no-deps",
    "--no-binary",
    ":all:",
    "-d",
    work,
    "tabulate==0.9.0",
  ]);
  await unpack(await onlyFile(work, ".tar.gz"), into);
};

const go: Fetch = async (into) => {
  const { stdout } = await execa("go", ["mod", "download", "-json", "github.com/google/uuid@v1.6.0"], {
    env: { GO111MODULE: "on" },
    cwd: tmpdir(),
  });
  const { Dir } = z.object({ Dir: z.string() }).parse(JSON.parse(stdout));
  await cp(Dir, into, { recursive: true });
  await execa("chmod", ["-R", "u+w", into]);
};

const crates: Fetch = async (into, work) => {
  const manifest = `[package]\nname = "user"\nversion = "0.0.0"\nedition = "2021"\n[dependencies]\nfnv = "=1.0.7"\n`;
  await mkdir(join(work, "src"));
  await writeFile(join(work, "Cargo.toml"), manifest);
  await writeFile(join(work, "src/lib.rs"), "");
  await execa("cargo", ["vendor", "--quiet", "vendor"], { cwd: work });
  await cp(join(work, "vendor/fnv"), into, { recursive: true });
};

const maven: Fetch = async (into, work) => {
  const name = "commons-cli:commons-cli:1.5.0";
  const repository = join(work, "repository");
  for (const file of [`${name}:pom`, `${name}:jar:sources`, `${name}:jar:test-sources`]) {
    await execa(
      "mvn",
      ["-B", "-q", "-ntp", "dependency:copy", `-Dartifact=${file}`, `-DoutputDirectory=${repository}`],
      { cwd: work },
    );
  }
  for (const [jar, place] of [
    ["-1.5.0-sources.jar", "src/main/java"],
    ["-test-sources.jar", "src/test/java"],
  ] as const) {
    await mkdir(join(into, place), { recursive: true });
    await execa("jar", ["-xf", await onlyFile(repository, jar)], { cwd: join(into, place) });
    await rm(join(into, place, "META-INF"), { recursive: true });
  }
  await cp(await onlyFile(repository, ".pom"), join(into, "pom.xml"));
};

async function hasTool(tool: string): Promise<boolean> {
  return (await execa("sh", ["-c", `command -v ${tool}`], { reject: false })).exitCode === 0;
}

async function repositoryOf(name: string, fetch: Fetch): Promise<string> {
  const [project, work] = [join(scratch, name), join(scratch, `${name}-work`)];
  await mkdir(project);
  await mkdir(work);
  await fetch(project, work);
  const git = (...args: string[]) =>
    execa("git", ["-c", "user.name=Ada", "-c", "user.email=ada@example.org", ...args], { cwd: project });
  await git("init", "--quiet", "--initial-branch=main");
  await git("add", "--all", "--force");
  await git("commit", "--quiet", "--message=as published");
  return project;
}

/** Where toolchains and caches are, for commands whose home is the test's. */
async function toolHomes(): Promise<Record<string, string>> {
  const caches = (await hasTool("go"))
    ? z
        .object({ GOMODCACHE: z.string(), GOCACHE: z.string() })
        .parse(JSON.parse((await execa("go", ["env", "-json", "GOMODCACHE", "GOCACHE"])).stdout))
    : {};
  const { CARGO_HOME = join(homedir(), ".cargo"), RUSTUP_HOME = join(homedir(), ".rustup") } = process.env;
  return { ...caches, CARGO_HOME, RUSTUP_HOME };
}

interface Package {
  readonly name: string;
  readonly fetch: Fetch;
  readonly tools: readonly string[];
  readonly runner: string;
  /** Tests that a whole migration by the starter spec counts; null: it is only written and checked. */
  readonly tests: number | null;
}

const PACKAGES: readonly Package[] = [
  { name: "minimist", fetch: npm, tools: ["npm"], runner: "tape", tests: null },
  { name: "tabulate", fetch: pypi, tools: ["python3"], runner: "pytest", tests: null },
  { name: "uuid", fetch: go, tools: ["go"], runner: "go test", tests: 202 },
  { name: "commons-cli", fetch: maven, tools: ["mvn", "jar"], runner: "maven surefire", tests: null },
  { name: "fnv", fetch: crates, tools: ["cargo"], runner: "cargo test", tests: 3 },
];

const missing = new Set<string>();
for (const tool of new Set(PACKAGES.flatMap(({ tools }) => tools)))
  if (!(await hasTool(tool))) missing.add(tool);

describe("a starter spec for a published package", { timeout: 400_000 }, () => {
  for (const { name, fetch, runner, tests, tools } of PACKAGES) {
    it.skipIf(tools.some((tool) => missing.has(tool)))(
      `${name} is measured by ${runner}${tests === null ? "" : ", and runs to the end"}`,
      async () => {
        const project = await repositoryOf(name, fetch);
        const written = await home.run(["init", project]);
        expect(written).toMatchObject({ code: 0 });
        expect(written.stdout).toContain(`by ${runner}`);
        expect(await home.run(["validate", join(project, "towpath.yaml")])).toMatchObject({ code: 0 });
        const text = await readFile(join(project, "towpath.yaml"), "utf8");
        expect(await home.run(["init", project])).toMatchObject({ code: 2 });
        expect(await readFile(join(project, "towpath.yaml"), "utf8")).toBe(text);
        await writeFile(join(project, "towpath.yaml"), "mine");
        expect(await home.run(["init", project, "--force"])).toMatchObject({ code: 0 });
        expect(await readFile(join(project, "towpath.yaml"), "utf8")).toBe(text);
        if (tests === null) return;
        const ended = await home.run(["start", project, "--allow-host", "--wait"], await toolHomes());
        expect(ended).toMatchObject({ code: 0 });
        const [id = ""] = /mig_\S+/.exec(ended.stdout) ?? [];
        const manifest = await readFile(join(home.dataDir, "migrations", id, "manifest.json"), "utf8");
        expect(JSON.parse(manifest)).toMatchObject({ status: "completed", baseline: { tests, failures: 0 } });
      },
    );
  }
});
