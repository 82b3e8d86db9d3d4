import { createHash } from "node:crypto";
import { chmod, mkdir, readdir, readFile, realpath, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { identityOf, projectIdSource } from "../../src/model/containers/labels.js";
import * as contract from "../../src/workflows/migration.contract.js";
import { describeWithEngine, TestEngine } from "../support/engine.js";
import { recordingProxy } from "../support/engine-proxy.js";
import {
  cleanUp,
  type MigrationHandle,
  specWith,
  TRIVIAL_GUARDRAIL,
  waitingFor,
  workbench,
  type Workbench,
} from "../support/migrations.js";

const FILES = { "src/app.txt": "old\n", ".gitignore": "deps/\n" };

const engine = new TestEngine();
const image = `${engine.name}/tools:1`;
const cleanups: (() => Promise<void>)[] = [];
/** Only root can give a worktree's files to somebody. */
const user = process.geteuid?.() === 0 ? 1234 : (process.geteuid?.() ?? 1000);

afterEach(() => cleanUp(cleanups));

function migrate(steps: string, guardrail = TRIVIAL_GUARDRAIL): string {
  const container = `{ image: "${image}", memory: 64m, pids: 64 }`;
  return specWith(
    `${guardrail}
  migrate:
    steps:
${steps}
`,
    `secrets: [DEPLOY_KEY]\ndefaults: { container: ${container}, retry: { backoff: 1ms } }`,
  );
}

async function bench(): Promise<Workbench> {
  return workbench(cleanups, FILES, { ...process.env, ...engine.env, DEPLOY_KEY: "canary-51f0-secret" });
}

async function logOf({ store }: Workbench, id: string, name: string): Promise<string> {
  return readFile(join(store.paths(id).logs, name), "utf8");
}

async function containersOf(handle: MigrationHandle): Promise<string[]> {
  return engine.containersWith({ "towpath.workflow-id": handle.workflowId });
}

async function stopped(handle: MigrationHandle): Promise<void> {
  await handle.signal(contract.stop, { by: "ada", reason: "" });
  await handle.result();
}

describeWithEngine("a migration whose commands run in containers", () => {
  beforeAll(async () => {
    await engine.image(image);
  });
  afterAll(() => engine.remove());

  it("completes without anybody's consent to the host, hardened, and leaves no container", async () => {
    const { repository, ...rest } = await bench();
    const before = await repository.snapshot();
    const handle = await rest.start(
      migrate(`
      - id: first
        run: |
          echo "uid=$(id -u)"; grep -E "NoNewPrivs|CapEff" /proc/self/status; ls /sys/class/net
          touch /outside || echo "root is read-only"
          echo gitdir: /elsewhere > .git || echo "git link is read-only"
          rm -f .git || echo "git link stays"
          touch "$TOWPATH_DIR/new" || echo "migration is read-only"
          cat "$TOWPATH_DIR/seams.json"; ls -a "$TOWPATH_DIR"
          touch /tmp/scratch && echo "tmp can be written"
          ls /var/run/docker.sock || echo "no engine socket"
          sed -i s/old/new/ src/app.txt
          echo "key=$(cat src/app.txt)" >> "$TOWPATH_OUTPUT"
          mkdir -p deps; echo kept > deps/cache
        verify: ["grep new src/app.txt", "test -e deps/cache"]
      - id: second
        needs: [first]
        agent: { command: cat > prompt.txt, prompt: "value \${{ steps.first.outputs.key }}" }
        container: { env: { TOOL: "set \${{ migration.target }}" }, network: none, user: ${user} }
        verify: ['test "$TOOL" = "set next"', 'test "$(id -u)" = ${user}', "echo deeper > deps/cache"]
        commit: "feat: second"`),
      { allowHost: false },
    );
    const result = await handle.result();
    expect(result).toMatchObject({ status: "completed" });
    expect(await repository.git("show", `${result.branch}:src/app.txt`)).toBe("new");
    expect(await repository.git("show", `${result.branch}:prompt.txt`)).toBe("value new");
    const log = await logOf({ repository, ...rest }, handle.workflowId, "first/attempt-1.run.log");
    for (const line of [
      /^uid=[1-9]/m,
      /NoNewPrivs:\s+1/,
      /CapEff:\s+0+$/m,
      /^lo$/m,
      /^root is read-only$/m,
      /^git link is read-only$/m,
      /^git link stays$/m,
      /^migration is read-only$/m,
      /^tmp can be written$/m,
      /^no engine socket$/m,
      /^manifest.json$/m,
    ])
      expect(log).toMatch(line);
    expect(log).not.toMatch(/eth0|^state$|^logs$/m);
    expect(await containersOf(handle)).toEqual([]);
    expect(await readdir(join(rest.dataDir, "containers"))).toEqual([]);
    expect(await repository.snapshot()).toBe(before);
  }, 300_000);

  it("carries who it is, its limits, and nothing of the host's; its output is in the log while it runs", async () => {
    const here = await bench();
    const handle = await here.start(
      migrate(`      - id: talking
        run: echo begun; while [ ! -e deps/go ]; do sleep 0.1; done
        container: { cpus: 0.5 }`),
    );
    const log = () => logOf(here, handle.workflowId, "talking/attempt-1.run.log").catch(() => "");
    await expect.poll(log, { timeout: 90_000 }).toContain("begun");
    const [id = ""] = await containersOf(handle);
    const { Name, Config, HostConfig, Mounts, State } = await engine.docker.getContainer(id).inspect();
    expect(State.Running).toBe(true);
    const project = await realpath(here.repository.path);
    const { hostId } = here.host;
    expect(identityOf(Config.Labels)).toMatchObject({
      kind: "step",
      namespace: "default",
      workflowId: handle.workflowId,
      runId: handle.firstExecutionRunId,
      stepId: "talking",
      attempt: 1,
      command: "run",
      projectId: sha256(projectIdSource(project, hostId)),
      projectDir: project,
      hostId,
    });
    expect(Date.parse(Config.Labels["towpath.created-at"] ?? "")).toBeGreaterThan(0);
    expect(Name).toMatch(new RegExp(`^/towpath-${sha256(project).slice(0, 12)}-`));
    expect(HostConfig).toMatchObject({
      AutoRemove: false,
      Privileged: false,
      CapDrop: ["ALL"],
      SecurityOpt: ["no-new-privileges"],
      ReadonlyRootfs: true,
      NetworkMode: "none",
      Memory: 64 * 1024 ** 2,
      MemorySwap: 64 * 1024 ** 2,
      NanoCpus: 5e8,
      PidsLimit: 64,
    });
    const worktree = join(here.dataDir, "workspaces", handle.workflowId);
    const { out } = here.store.paths(handle.workflowId);
    const writable = Mounts.filter(({ RW }) => RW).map(({ Source }) => Source);
    expect(writable.sort()).toEqual([join(out, "talking/attempt-1"), worktree].sort());
    expect(Mounts.filter(({ Source }) => !Source.startsWith(here.dataDir))).toEqual([]);
    await mkdir(join(worktree, "deps"), { recursive: true });
    await writeFile(join(worktree, "deps/go"), "");
    await expect(handle.result()).resolves.toMatchObject({ status: "completed" });
  }, 300_000);

  it("says how a command failed: its exit code, its memory, its silence, its time", async () => {
    const here = await bench();
    const handle = await here.start(
      migrate(`
      - { id: code, run: "echo the cause; exit 7", continue-on-error: true }
      - { id: memory, run: "dd if=/dev/zero of=/tmp/big bs=1M count=200; tail /dev/zero", continue-on-error: true }
      - { id: silence, run: "echo begun; sleep 100", idle-timeout: 1s, continue-on-error: true }
      - { id: time, run: "while :; do echo busy; sleep 0.2; done", timeout: 1s, continue-on-error: true }
      - { id: killed, run: "kill -9 $$", continue-on-error: true }
      - { id: program, run: "no-such-program", continue-on-error: true }
      - { id: place, run: "true", working-directory: nowhere, continue-on-error: true }
      - { id: host, run: "test -e /etc/hostname && echo > on-the-host", container: false }`),
    );
    await handle.result();
    const { steps = {} } = await here.store.readManifest(handle.workflowId);
    const failures = Object.fromEntries(Object.entries(steps).map(([id, step]) => [id, step.failure]));
    expect(failures["code"]).toMatchObject({
      kind: "command",
      message: expect.stringContaining("exited with code 7: the cause"),
    });
    expect(failures["memory"]?.message).toContain(
      "it ran out of memory, of which its container has 64.0 MiB",
    );
    expect(failures["silence"]).toMatchObject({
      kind: "idle-timeout",
      message: expect.stringContaining("idle timeout of 1 s"),
    });
    expect(failures["time"]).toMatchObject({
      kind: "timeout",
      message: expect.stringContaining("timeout of 1 s"),
    });
    expect(failures["killed"]?.message).toContain("it was killed, most likely because it ran out of memory");
    expect(failures["program"]?.message).toContain("not found");
    expect(failures["place"]?.message).toContain("could not be started");
    expect(steps["host"]).toMatchObject({ status: "completed" });
    expect(await containersOf(handle)).toEqual([]);
  }, 300_000);

  it("is undone and retried with feedback, in a container of its own for each attempt", async () => {
    const here = await bench();
    const handle = await here.start(
      migrate(`
      - id: repair
        agent:
          command: |
            cat > "$TOWPATH_OUT/prompt.txt"
            test ! -e stray.txt
            hostname; echo x > stray.txt; echo "key $DEPLOY_KEY"
            if [ "$TOWPATH_ATTEMPT" -lt 2 ]; then echo "the cause"; exit 3; fi
          prompt: "Repair. \${{ attempt.feedback }}"
        retry: { max-attempts: 2 }`),
    );
    await expect(handle.result()).resolves.toMatchObject({ status: "completed" });
    const { out } = here.store.paths(handle.workflowId);
    const prompt = await readFile(join(out, "repair/attempt-2/prompt.txt"), "utf8");
    expect(prompt).toContain("the cause");
    expect(prompt).toContain("key ***");
    const log = await logOf(here, handle.workflowId, "repair/attempt-2.agent.log");
    expect(log).toContain("key ***");
  }, 300_000);

  it("ends with its container when it is stopped, also one that ignores SIGTERM", async () => {
    const here = await bench();
    const handle = await here.start(
      migrate(
        `      - { id: endless, run: "trap '' TERM; echo half > src/half.txt; while :; do sleep 1; done" }`,
      ),
    );
    await expect.poll(() => containersOf(handle), { timeout: 90_000 }).toHaveLength(1);
    await expect
      .poll(async () => (await containersOf(handle)).length === 1 && (await running(handle)))
      .toBe(true);
    await stopped(handle);
    expect(await containersOf(handle)).toEqual([]);
    expect((await here.repository.git("worktree", "list")).split("\n")).toHaveLength(1);
  }, 300_000);

  it("refuses a container of its name that is somebody else's, and goes on when that is gone", async () => {
    const here = await bench();
    const handle = await here.start(
      migrate(`      - { id: first, run: "while [ ! -e deps/go ]; do sleep 0.1; done" }
      - { id: second, needs: [first], run: "true" }`),
    );
    const isFirst = { "towpath.workflow-id": handle.workflowId, "towpath.step-id": "first" };
    await expect.poll(() => engine.containersWith(isFirst), { timeout: 90_000 }).toHaveLength(1);
    const [first = ""] = await engine.containersWith(isFirst);
    const { Name } = await engine.docker.getContainer(first).inspect();
    const foreign = await engine.container({
      Image: image,
      name: Name.slice(1).replace("-first-", "-second-"),
    });
    await mkdir(join(here.dataDir, "workspaces", handle.workflowId, "deps"), { recursive: true });
    await writeFile(join(here.dataDir, "workspaces", handle.workflowId, "deps/go"), "");
    const view = await waitingFor(handle, "blocked");
    expect(view.waiting?.message).toContain("that is not this migration's");
    await foreign.remove();
    await handle.executeUpdate(contract.retry, { args: [{ by: "ada" }] });
    await expect(handle.result()).resolves.toMatchObject({ status: "completed" });
  }, 300_000);

  it("works on an engine behind a port that sees this machine's files, and says why where it does not", async () => {
    const remote = await recordingProxy(engine.host, { tcp: true });
    cleanups.push(() => remote.close());
    const here = await workbench(cleanups, FILES, {
      ...process.env,
      DOCKER_HOST: remote.host,
      DEPLOY_KEY: "canary-51f0-secret",
    });
    const steps = `      - { id: first, run: "echo new > src/app.txt" }`;
    const sees = await here.start(migrate(steps), { allowHost: false });
    await expect(sees.result()).resolves.toMatchObject({ status: "completed" });
    // As on another machine, where none of this one's paths is.
    remote.edit = (body) => body.replaceAll(here.dataDir, `/elsewhere${here.dataDir}`);
    const blind = await here.start(migrate(steps), { allowHost: false });
    const view = await waitingFor(blind, "blocked");
    expect(view.waiting?.message).toContain(`engine at ${remote.host} does not see this machine's files`);
    expect(view.waiting?.message).toContain("run a worker on the engine's");
    await stopped(blind);
    expect(await containersOf(blind)).toEqual([]);
  }, 300_000);

  it("goes on with the same container, and all of its output once, when the engine was away meanwhile", async () => {
    const proxy = await recordingProxy(engine.host);
    cleanups.push(() => proxy.close());
    const here = await workbench(cleanups, FILES, {
      ...process.env,
      DOCKER_HOST: proxy.host,
      DEPLOY_KEY: "canary-51f0-secret",
    });
    const handle = await here.start(
      migrate(
        `      - { id: long, run: "echo before; while [ ! -e deps/go ]; do sleep 0.1; done; echo meanwhile; touch deps/done" }`,
      ),
    );
    const log = () => logOf(here, handle.workflowId, "long/attempt-1.run.log").catch(() => "");
    await expect.poll(log, { timeout: 90_000 }).toContain("before");
    const created = await containersOf(handle);
    const deps = join(here.dataDir, "workspaces", handle.workflowId, "deps");
    await mkdir(deps, { recursive: true });
    await chmod(deps, 0o777);
    proxy.isAway = true;
    await writeFile(join(deps, "go"), "");
    await expect.poll(() => readdir(deps), { timeout: 90_000 }).toContain("done");
    proxy.isAway = false;
    await expect(handle.result()).resolves.toMatchObject({ status: "completed" });
    expect((await log()).match(/before|meanwhile/g)).toEqual(["before", "meanwhile"]);
    const { steps } = await here.store.readManifest(handle.workflowId);
    expect(steps?.["long"]).toMatchObject({ status: "completed", attempts: 1 });
    expect(created).toHaveLength(1);
  }, 300_000);

  it("waits, and says so, while the engine is away", async () => {
    const here = await workbench(cleanups, FILES, {
      ...process.env,
      DOCKER_HOST: "unix:///nowhere/docker.sock",
    });
    const handle = await here.start(
      migrate(`      - { id: first, run: "true" }`).replace("secrets: [DEPLOY_KEY]", ""),
    );
    const view = await waitingFor(handle, "preparation-failed");
    expect(view.waiting?.message).toContain("does not answer: there is no such socket");
    await handle.terminate();
  }, 300_000);
});

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

async function running(handle: MigrationHandle): Promise<boolean> {
  const ids = await containersOf(handle);
  const states = await Promise.all(ids.map((id) => engine.docker.getContainer(id).inspect()));
  return states.length > 0 && states.every(({ State }) => State.Running);
}
