import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import * as contract from "../../src/workflows/migration.contract.js";
import { describeWithEngine, describeWithRegistry, TestEngine } from "../support/engine.js";
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
        container: { env: { TOOL: "set \${{ migration.target }}" }, network: none }
        verify: ['test "$TOOL" = "set next"']
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

  it("says how a command failed: its exit code, its memory, its silence, its time", async () => {
    const here = await bench();
    const handle = await here.start(
      migrate(`
      - { id: code, run: "echo the cause; exit 7", continue-on-error: true }
      - { id: memory, run: "dd if=/dev/zero of=/tmp/big bs=1M count=200; tail /dev/zero", continue-on-error: true }
      - { id: silence, run: "echo begun; sleep 100", idle-timeout: 1s, continue-on-error: true }
      - { id: time, run: "while :; do echo busy; sleep 0.2; done", timeout: 1s, continue-on-error: true }
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

  it("waits, and says so, while the engine is away or does not see this machine's files", async () => {
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

describeWithRegistry("a migration whose image is not on the engine", () => {
  afterAll(() => engine.remove());

  it("pulls it, and says clearly where it cannot", async () => {
    const reference = `${engine.repository("pulled")}:1`;
    const id = await engine.published(reference);
    await engine.docker.getImage(reference).remove();
    await engine.docker
      .getImage(id)
      .remove()
      .catch(() => {});
    expect(await engine.hasImage(reference)).toBe(false);
    const here = await workbench(cleanups, FILES, { ...process.env, ...engine.env });
    const handle = await here.start(imageSpec(reference), { allowHost: false });
    await expect(handle.result()).resolves.toMatchObject({ status: "completed" });
    const missing = await here.start(imageSpec(`${engine.repository("none")}:1`));
    const view = await waitingFor(missing, "preparation-failed");
    expect(view.waiting?.message).toContain("There is no image");
    await stopped(missing);
  }, 300_000);
});

async function running(handle: MigrationHandle): Promise<boolean> {
  const ids = await containersOf(handle);
  const states = await Promise.all(ids.map((id) => engine.docker.getContainer(id).inspect()));
  return states.length > 0 && states.every(({ State }) => State.Running);
}

function imageSpec(name: string): string {
  return specWith(
    `${TRIVIAL_GUARDRAIL}
  migrate:
    steps: [{ id: first, run: "cat /etc/image-id > which.txt" }]
`,
    `defaults: { container: "${name}" }`,
  );
}
