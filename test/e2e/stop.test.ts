import { createHash } from "node:crypto";
import { cp, mkdir, readFile, realpath, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type Docker from "dockerode";
import { afterAll, afterEach, beforeAll, expect, inject, it } from "vitest";
import { z } from "zod";
import { readRunState, runStatePath, writeRunState } from "../../src/adapters/run-state/run-state.js";
import { hostId } from "../../src/adapters/temporal/host.js";
import { type ContainerIdentity, labelsOf, projectIdSource } from "../../src/model/containers/labels.js";
import { type CliAnswer, type Home, makeHome } from "../support/cli.js";
import { describeWithEngine, TestEngine } from "../support/engine.js";
import { recordingProxy } from "../support/engine-proxy.js";
import { cleanUp } from "../support/migrations.js";
import { createRepository } from "../support/repository.js";

const engine = new TestEngine();
const image = `${engine.name}/tools:1`;
const cleanups: (() => Promise<void>)[] = [];
const isEmbedded = inject("temporalServer") === "embedded";
let home: Home;

const IGNORES_TERM = ["sh", "-c", "trap '' TERM; while :; do sleep 1; done"];
const ENDS_ON_TERM = ["sh", "-c", "trap 'echo asked to end; exit 3' TERM; while :; do sleep 0.1; done"];

async function begin(): Promise<void> {
  home = await makeHome("own");
  cleanups.push(() => home.remove());
}

async function project(name: string): Promise<string> {
  const path = join(home.dataDir, "..", name);
  await mkdir(path, { recursive: true });
  return realpath(path);
}

async function identity(
  directory: string,
  more: Partial<ContainerIdentity> = {},
): Promise<ContainerIdentity> {
  const host = await hostId(home.dataDir);
  return {
    kind: "step",
    namespace: home.namespace,
    workflowId: "mig_20260101_000000_left",
    runId: "run",
    stepId: "one",
    attempt: 1,
    command: "run",
    projectId: createHash("sha256").update(projectIdSource(directory, host)).digest("hex"),
    projectDir: directory,
    hostId: host,
    createdAt: new Date().toISOString(),
    secretNames: "",
    ...more,
  };
}

/** A container as a worker that died would have left it. */
async function left(
  directory: string,
  options: Omit<Docker.ContainerCreateOptions, "Image"> & { Image?: string } = {},
  more: Partial<ContainerIdentity> = {},
): Promise<Docker.Container> {
  return engine.container({
    Image: image,
    Cmd: ENDS_ON_TERM,
    Labels: labelsOf(await identity(directory, more)),
    ...options,
  });
}

async function started(container: Docker.Container): Promise<Docker.Container> {
  await container.start();
  return container;
}

async function exists(container: Docker.Container): Promise<boolean> {
  const all = await engine.docker.listContainers({ all: true });
  return all.some(({ Id }) => Id === container.id);
}

function stop(args: readonly string[], env: Record<string, string> = engine.env): Promise<CliAnswer> {
  return home.run(["stop", ...args], env);
}

const Answer = z.object({
  migrations: z.array(z.object({ id: z.string(), result: z.string() })),
  containers: z.array(z.looseObject({ id: z.string(), result: z.string(), exitCode: z.number().nullable() })),
});

async function stopJson(...args: readonly string[]): Promise<z.infer<typeof Answer>> {
  return Answer.parse(JSON.parse((await stop([...args, "--json"])).stdout));
}

describeWithEngine("towpath stop", () => {
  beforeAll(async () => {
    await engine.image(image);
  });
  afterEach(() => cleanUp(cleanups));
  afterAll(() => engine.remove());

  it("says so when nothing runs", async () => {
    await begin();
    for (const args of [[await project("idle")], ["--all"]]) {
      expect(await stop(args)).toEqual({ code: 0, stdout: "No active session\n", stderr: "" });
    }
    const without = { DOCKER_HOST: "", HOME: home.dataDir };
    expect(await stop([await project("idle")], without)).toMatchObject({
      code: 0,
      stdout: "No active session\n",
    });
    expect(await stop(["./no-such-folder"])).toMatchObject({ code: 2 });
  }, 300_000);

  it("ends and removes the folder's containers in every state, with their exit code and last words", async () => {
    await begin();
    const folder = await project("states");
    const created = await left(folder);
    const running = await started(await left(folder));
    const paused = await started(await left(folder));
    await paused.pause();
    const exited = await started(await left(folder, { Cmd: ["sh", "-c", "exit 5"] }));
    await exited.wait();
    const restarting = await started(
      await left(folder, {
        Cmd: ["false"],
        HostConfig: { NetworkMode: "none", RestartPolicy: { Name: "always" } },
      }),
    );
    const { containers } = await stopJson(folder);
    const byId = Object.fromEntries(containers.map((container) => [container.id, container]));
    expect(byId[created.id]).toMatchObject({ result: "stopped", exitCode: null });
    expect(byId[running.id]).toMatchObject({
      result: "stopped",
      exitCode: 3,
      tail: expect.stringContaining("asked to end") as unknown,
    });
    expect(byId[exited.id]).toMatchObject({ result: "stopped", exitCode: 5 });
    expect(containers.map(({ result }) => result)).not.toContain("failed");
    for (const container of [created, running, paused, exited, restarting])
      expect(await exists(container)).toBe(false);
    expect(await stop([folder])).toMatchObject({ code: 0, stdout: "No active session\n" });
  }, 300_000);

  it("kills what ignores SIGTERM, and lets two stops at once both succeed", async () => {
    await begin();
    const folder = await project("stubborn");
    const stubborn = await started(await left(folder, { Cmd: IGNORES_TERM }));
    const [one, two] = await Promise.all([stop([folder]), stop([folder])]);
    expect([one.code, two.code]).toEqual([0, 0]);
    expect(one.stdout + two.stdout).toContain("killed container");
    expect(one.stdout + two.stdout).not.toContain("failed");
    expect(await exists(stubborn)).toBe(false);
  }, 300_000);

  it("touches no other folder's, through a symlink, with a trailing slash, or with a copied state", async () => {
    await begin();
    const [mine, other] = [await project("mine"), await project("other")];
    const theirs = await started(await left(other));
    const decoy = await started(
      await engine.container({ Image: image, Cmd: ENDS_ON_TERM, name: `${engine.name}-prod-db` }),
    );
    const { Name } = await theirs.inspect();
    await writeRunState(other, {
      container: Name.slice(1),
      image,
      project_dir: other,
      started_at: "2026-01-01T00:00:00Z",
    });
    await cp(join(other, ".towpath"), join(mine, ".towpath"), { recursive: true });
    expect(await stop([mine])).toMatchObject({ code: 0, stdout: "No active session\n" });
    // It tells of another project, and stays what it is.
    expect(await readRunState(mine)).not.toBeNull();
    for (const container of [`${engine.name}-prod-db`, ".*", "-f", "../../etc/passwd", "a\nb"]) {
      await writeFile(
        runStatePath(mine),
        JSON.stringify({ container, image, project_dir: mine, started_at: "" }),
      );
      expect(await stop([mine])).toMatchObject({ code: 0, stdout: "No active session\n" });
      expect(await readRunState(mine)).toBeNull();
      await mkdir(join(mine, ".towpath", "docker"), { recursive: true });
    }
    await writeFile(runStatePath(mine), "no json");
    expect(await stop([mine])).toMatchObject({ code: 0 });
    expect([await exists(theirs), await exists(decoy)]).toEqual([true, true]);
    expect((await theirs.inspect()).State.Running).toBe(true);

    const link = join(home.dataDir, "..", "link");
    await symlink(other, link);
    expect((await stop([`${link}/`])).stdout).toContain("stopped container");
    expect(await exists(theirs)).toBe(false);
    expect(await exists(decoy)).toBe(true);
  }, 300_000);

  it("--all finds this host's by label alone, and leaves everybody else's", async () => {
    await begin();
    const folder = await project("anything");
    const superseded = `${engine.name}/superseded:1`;
    const old = await engine.image(superseded);
    await engine.tag(image, `mirror.example/${engine.name}/tools:1`);
    const inside = [
      await started(await left(folder, { Image: old })),
      await started(
        await left(await project("elsewhere"), { Image: `mirror.example/${engine.name}/tools:1` }),
      ),
      await left(join(home.dataDir, "gone"), { Image: await engine.imageId(image) }),
    ];
    await engine.image(superseded);
    const commit = await engine.container({ Image: image });
    await commit.commit({ repo: `${engine.name}-derived`, tag: "1" });
    // Made of one of Towpath's own, whose labels it has, and with it whatever somebody runs in it.
    const inherits = `${engine.name}-inherits`;
    await (await left(folder)).commit({ repo: inherits, tag: "1" });
    await engine.tag(`${inherits}:1`, `${inherits}:2`);
    const outside = [
      await started(await engine.container({ Image: `${inherits}:1`, Cmd: ENDS_ON_TERM })),
      await started(await engine.container({ Image: `${engine.name}-derived:1`, Cmd: ENDS_ON_TERM })),
      await started(await engine.container({ Image: image, Cmd: ENDS_ON_TERM })),
      await left(folder, {}, { hostId: "another-00000000" }),
      await left(folder, {}, { namespace: "another" }),
      await engine.container({ Image: image, Labels: { "towpath.managed": "true" } }),
    ];
    const answer = await stop(["--all"]);
    expect(answer).toMatchObject({ code: 0 });
    for (const container of inside) expect(await exists(container)).toBe(false);
    for (const container of outside) expect(await exists(container)).toBe(true);
    expect(await stop(["--all"])).toMatchObject({ code: 0, stdout: "No active session\n" });
  }, 300_000);

  it("says which container it could not remove, ends the others, and keeps the run state until all are gone", async () => {
    await begin();
    const folder = await project("stuck");
    const [stuck, other] = [await started(await left(folder)), await started(await left(folder))];
    await writeRunState(folder, { container: "towpath-x", image, project_dir: folder, started_at: "" });
    const proxy = await recordingProxy(engine.host);
    cleanups.push(() => proxy.close());
    proxy.instead = ({ method, url }) =>
      method === "DELETE" && url.includes(stuck.id)
        ? { status: 500, message: "driver failed to remove root filesystem: device busy" }
        : undefined;
    const answer = await stop([folder], { DOCKER_HOST: proxy.host });
    expect(answer.code).toBe(1);
    const [failed, stopped, ...rest] = answer.stdout.trim().split("\n").sort();
    expect(rest).toEqual([]);
    expect(failed).toMatch(/^failed to stop container .*device busy/);
    expect(stopped).toMatch(/^stopped container/);
    expect([await exists(stuck), await exists(other)]).toEqual([true, false]);
    expect(await readRunState(folder)).not.toBeNull();

    proxy.instead = undefined;
    expect(await stop([folder], { DOCKER_HOST: proxy.host })).toMatchObject({ code: 0 });
    expect(await exists(stuck)).toBe(false);
    expect(await readRunState(folder)).toBeNull();
    const removals = proxy.requests.filter(({ method }) => method === "DELETE");
    expect(removals.filter(({ url }) => /force=(1|true)/.test(url))).toEqual([]);
  }, 300_000);

  it("says that the engine is away, keeps the run state, and never that it stopped something", async () => {
    await begin();
    const folder = await project("away");
    await writeRunState(folder, { container: "towpath-x", image, project_dir: folder, started_at: "" });
    for (const env of [
      { DOCKER_HOST: "unix:///nowhere/engine.sock" },
      { DOCKER_HOST: "tcp://127.0.0.1:9" },
    ]) {
      const answer = await stop([folder], env);
      expect(answer).toMatchObject({ code: 6, stdout: "" });
      expect(answer.stderr).toContain("does not answer");
      expect(answer.stderr).toContain("No container was stopped");
    }
    expect(await readRunState(folder)).not.toBeNull();
  }, 300_000);

  it.each([
    { by: "folder", dead: false, temporal: {}, code: 0, says: "is stopped", worktrees: 1 },
    { by: "folder", dead: true, temporal: {}, code: 0, says: "could not be asked to stop", worktrees: 2 },
    // What was started on demand is started again to be asked; a cluster is not ours to start.
    ...(isEmbedded
      ? [{ by: "id", dead: true, temporal: {}, code: 0, says: "is stopped", worktrees: 1 }]
      : []),
    {
      by: "id",
      dead: true,
      temporal: { TEMPORAL_ADDRESS: "127.0.0.1:9" },
      code: 6,
      says: "could not be asked to stop",
      worktrees: 2,
    },
  ])(
    "ends a running migration, named by its $by, through its workflow, or by label (worker and server dead: $dead): it $says",
    async ({ by, dead, temporal, code, says, worktrees }) => {
      await begin();
      const repository = await createRepository(join(home.dataDir, "..", "project"), {
        "a.txt": "",
        "towpath.yaml": `
version: 1
name: endless
target: next
defaults: { container: "${image}" }
phases:
  understand: { steps: [{ id: survey, uses: survey }] }
  migrate: { steps: [{ id: endless, run: "touch begun; while :; do sleep 1; done" }] }
  guardrail: { features: [{ id: stands, description: it stands, test: "true" }] }
`,
      });
      const begun = await home.run(["start", repository.path, "--json"], engine.env);
      expect(begun).toMatchObject({ code: 0 });
      const { id } = z.object({ id: z.string() }).parse(JSON.parse(begun.stdout));
      const labels = { "towpath.workflow-id": id, "towpath.step-id": "endless" };
      await expect.poll(() => engine.containersWith(labels), { timeout: 90_000 }).toHaveLength(1);
      expect(await readRunState(await realpath(repository.path))).toMatchObject({ image });
      const away = dead ? await killEverything() : {};
      const target = by === "id" ? [id, "--yes"] : [repository.path];
      const answer = await stop(target, { ...engine.env, ...away, ...temporal });
      expect(answer).toMatchObject({ code });
      expect(answer.stdout).toContain(`${id} ${says}`);
      expect(await engine.containersWith(labels)).toEqual([]);
      expect(await readRunState(await realpath(repository.path))).toBeNull();
      expect((await repository.git("worktree", "list")).split("\n")).toHaveLength(worktrees);
    },
    180_000,
  );
});

const Process = z.looseObject({ pid: z.int().positive() });

/** @returns what of the environment makes a server that cannot be killed one that is not there */
async function killEverything(): Promise<Record<string, string>> {
  for (const name of isEmbedded ? ["worker", "server"] : ["worker"]) {
    const text = await readFile(join(home.dataDir, name, "state.json"), "utf8");
    process.kill(Process.parse(JSON.parse(text)).pid, "SIGKILL");
  }
  return isEmbedded ? {} : { TEMPORAL_ADDRESS: "127.0.0.1:1" };
}
