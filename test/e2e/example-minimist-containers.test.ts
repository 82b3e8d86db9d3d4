import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { describeWithEngine, TestEngine } from "../support/engine.js";
import { recordingProxy, type RecordingProxy } from "../support/engine-proxy.js";
import { installation } from "../support/installation.js";
import { layNode } from "../support/node-image.js";
import { npmMirror, type NpmMirror } from "../support/npm-mirror.js";

const example = fileURLToPath(new URL("../../examples/minimist-tape-to-jest", import.meta.url));
const STEPS = ["install-jest", "codemod", "remove-tape"];

const StoredReport = z.object({
  report: z.object({ tests: z.array(z.object({ name: z.string(), status: z.string() })) }),
});
const Manifest = z.object({ status: z.string(), base_commit: z.string(), branch: z.string() });
const Feature = z.object({ id: z.string(), passes: z.boolean() });
const Created = z.object({
  User: z.string(),
  Labels: z.record(z.string(), z.string()),
  HostConfig: z.object({ NetworkMode: z.string() }),
});

const engine = new TestEngine();
const network = `${engine.name}-net`;

function spec(name: string): Promise<string> {
  return readFile(path.join(example, name), "utf8");
}

function withoutContainer(step: Record<string, unknown>): Record<string, unknown> {
  const { container, ...rest } = step;
  expect(container).toEqual(step["uses"] === undefined ? { network: "none" } : undefined);
  return rest;
}

describe("the example's spec for containers", () => {
  const Spec = z.looseObject({
    env: z.record(z.string(), z.string()),
    workspace: z.looseObject({}),
    defaults: z.looseObject({}),
    phases: z.record(z.string(), z.looseObject({ steps: z.array(z.looseObject({})).optional() })),
  });

  it("differs from the one for the host in where commands run, and in what the set-up downloads", async () => {
    const host = Spec.parse(parse(await spec("towpath.yaml")));
    const contained = Spec.parse(parse(await spec("containers.yaml")));
    const { npm_config_cache: cache, ...env } = contained.env;
    const { container, ...defaults } = contained.defaults;
    const phases = Object.entries(contained.phases).map(([name, { steps, ...phase }]) => [
      name,
      { ...phase, ...(steps === undefined ? {} : { steps: steps.map((step) => withoutContainer(step)) }) },
    ]);
    expect({ cache, container }).toEqual({
      cache: ".npm",
      container: { image: "node:22-bookworm-slim", network: "bridge" },
    });
    expect({
      ...contained,
      env,
      defaults,
      phases: Object.fromEntries(phases),
      workspace: host.workspace,
    }).toEqual(host);
  });
});

describeWithEngine("the example minimist-tape-to-jest with its commands in containers", () => {
  let cli: string;
  let home: string;
  let dataDir: string;
  let source: string;
  let directory: string;
  let id: string;
  let mirror: NpmMirror;
  let proxy: RecordingProxy;

  async function towpath(...args: readonly string[]) {
    return execa("node", [cli, ...args], {
      env: { TOWPATH_DATA_DIR: dataDir, DOCKER_HOST: proxy.host },
      reject: false,
    });
  }

  async function git(...args: readonly string[]): Promise<string> {
    return (await execa("git", args, { cwd: source })).stdout;
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

  beforeAll(async () => {
    cli = await installation("own");
    home = await mkdtemp(path.join(tmpdir(), "towpath-example-"));
    dataDir = path.join(home, "data");
    source = path.join(home, "minimist");
    await execa("node", [path.join(example, "prepare.mjs"), source]);
    proxy = await recordingProxy(engine.host);
    mirror = await npmMirror(await engine.network(network));
    const image = `${engine.name}/node:22`;
    await engine.image(image, { lay: layNode, changes: [`ENV npm_config_registry=${mirror.url}`] });
    // The engine has neither Docker Hub nor a network with a way out.
    const text = (await spec("containers.yaml"))
      .replace("node:22-bookworm-slim", image)
      .replace("network: bridge", `network: ${network}`);
    await writeFile(path.join(home, "containers.yaml"), text);
  }, 300_000);

  afterAll(async () => {
    const down = await towpath("down");
    if (down.exitCode !== 0) throw new Error(`towpath down failed: ${down.stderr}`);
    await engine.remove();
    await mirror.close();
    await proxy.close();
    await rm(home, { recursive: true });
  }, 300_000);

  it("completes without consent to the host", { timeout: 600_000 }, async () => {
    const started = await towpath("start", source, "--spec", path.join(home, "containers.yaml"), "--wait");
    expect(started).toMatchObject({ exitCode: 0 });
    id = /^Started (?<id>mig_\S+)/.exec(started.stdout)?.groups?.["id"] ?? "";
    directory = path.join(dataDir, "migrations", id);
    expect(await readAs(Manifest, "manifest.json")).toMatchObject({ status: "completed" });
  });

  it("comes to the same: 50 tests with 140 assertions before, the same 50 after, all characterised", async () => {
    const baseline = await names("baseline.json");
    expect(new Set(baseline).size).toBe(50);
    expect(await names("full-suite.json")).toEqual(baseline);
    const log = await readFile(path.join(directory, "logs", "baseline", "attempt-1.run.log"), "utf8");
    expect(log).toContain("50 tests, 0 failed; 140 assertions (126 in tests, 14 exit codes)");
    const features = await readAs(z.array(Feature), "features.json");
    expect(features.filter(({ passes }) => passes)).toHaveLength(50);
  });

  it("leaves the same commits: one a step, without tape", async () => {
    const { base_commit: base, branch } = await readAs(Manifest, "manifest.json");
    const format = "%(trailers:key=Towpath-Step,valueonly,separator=)";
    const commits = await git("log", "--reverse", `--format=${format}`, `${base}..${branch}`);
    expect(commits.split("\n")).toEqual(STEPS);
    const changed = (await git("diff", "--name-only", base, branch)).split("\n");
    const tests = changed.filter((file) => file.startsWith("test/"));
    expect(tests).toHaveLength(14);
    expect(changed.filter((file) => !tests.includes(file))).toEqual(["package-lock.json", "package.json"]);
    expect(await git("show", `${branch}:package.json`)).not.toMatch(/tape|covert/);
  });

  it("ran each command in a container of its own: the steps without a network, nothing as root, and none is left", async () => {
    const created = proxy.requests
      .filter(({ method, url }) => method === "POST" && url.startsWith("/containers/create"))
      .map(({ body }) => Created.parse(JSON.parse(body)));
    const networkOf = (step: string) =>
      created
        .filter(({ Labels }) => Labels["towpath.step-id"] === step)
        .map(({ HostConfig }) => HostConfig.NetworkMode);
    expect(networkOf("setup")).toEqual([network]);
    expect(networkOf("baseline")).toEqual([network]);
    for (const [step, commands] of [
      ["install-jest", 3],
      ["codemod", 2],
      ["remove-tape", 2],
      ["full-suite", 1],
    ] as const)
      expect(networkOf(step)).toEqual(Array.from({ length: commands }, () => "none"));
    expect(created.filter(({ User }) => User.startsWith("0"))).toEqual([]);
    expect(await engine.containersWith({ "towpath.workflow-id": id })).toEqual([]);
  });
});
