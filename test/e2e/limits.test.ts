import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { afterEach, describe, expect, it } from "vitest";
import * as contract from "../../src/workflows/migration.contract.js";
import { cleanUp, specWith, TRIVIAL_GUARDRAIL, waitingFor, workbench } from "../support/migrations.js";

const cleanups: (() => Promise<void>)[] = [];
afterEach(() => cleanUp(cleanups));

const FILES = { "src/app.txt": "old\n", "test/app.test.txt": "expects old\n" };

function specOf(step: string, more = ""): string {
  return specWith(
    `${TRIVIAL_GUARDRAIL}
  migrate:
    steps:
      - ${step}
`,
    more,
  );
}

describe("a step is kept", () => {
  it("from hanging: silence ends it with its children, and the attempt counts as failed", async () => {
    const bench = await workbench(cleanups, FILES);
    const handle = await bench.start(
      specOf(`{ id: hung, idle-timeout: 1s, run: "setsid sleep 4242 & sleep 4243 & echo begun; wait" }`),
    );
    const view = await waitingFor(handle, "step-failed");
    expect(view.waiting?.message).toContain("it hung, with no output for the whole idle timeout of 1 s");
    expect(await processesNamed("sleep 424")).toEqual([]);
    const manifest = await bench.store.readManifest(handle.workflowId);
    expect(manifest.steps?.["hung"]).toMatchObject({ attempts: 1, failure: { kind: "idle-timeout" } });
    await stop();

    async function stop(): Promise<void> {
      await handle.signal(contract.stop, { by: "ada", reason: "" });
      await handle.result();
    }
  });

  it("inside its scope: a protected file that it changes is named, and nothing is committed", async () => {
    const bench = await workbench(cleanups, FILES);
    const handle = await bench.start(
      specOf(
        `{ id: greedy, scope: { include: ["src/**"], protect: ["test/**"] }, run: "echo new > src/app.txt; echo weak > test/app.test.txt; echo x > outside.txt" }`,
      ),
    );
    const view = await waitingFor(handle, "step-failed");
    expect(view.waiting?.message).toContain("test/app.test.txt");
    expect(view.waiting?.message).toContain("outside.txt");
    expect(view.waiting?.message).not.toContain("src/app.txt");
    const branch = `towpath/${handle.workflowId}`;
    expect(await bench.repository.git("log", "--format=%s", `main..${branch}`)).toBe("");
    await handle.signal(contract.stop, { by: "ada", reason: "" });
    await handle.result();
  });

  it("from the host where nobody agreed to that", async () => {
    const bench = await workbench(cleanups, FILES);
    const handle = await bench.start(specOf(`{ id: any, run: "touch ran.txt" }`), { allowHost: false });
    const view = await waitingFor(handle, "blocked");
    expect(view.waiting?.message).toContain("--allow-host");
    await handle.signal(contract.stop, { by: "ada", reason: "" });
    await handle.result();
  });

  it("from printing secrets: not in logs, feedback, manifest, outputs or history", async () => {
    const secret = "canary-7f3a9b1c-secret";
    const bench = await workbench(cleanups, FILES, { ...process.env, DEPLOY_KEY: secret });
    const handle = await bench.start(
      specOf(
        `{ id: leak, run: "echo key=$DEPLOY_KEY; echo $DEPLOY_KEY | base64; echo k=$DEPLOY_KEY >> $TOWPATH_OUTPUT; exit 1" }`,
        "secrets: [DEPLOY_KEY]",
      ),
    );
    await waitingFor(handle, "step-failed");
    const directory = bench.store.paths(handle.workflowId).directory;
    const log = await readFile(join(directory, "logs/leak/attempt-1.run.log"), "utf8");
    expect(log).toContain("key=***");
    const history = JSON.stringify(await handle.fetchHistory());
    const written = await bench.repository
      .git("grep", "--no-index", "-rl", "--", "canary-7f3a9b1c", directory)
      .catch(() => "");
    // The step wrote it to its own output directory; everything that Towpath wrote is clean.
    expect(written.split("\n").filter((path) => path !== "" && !path.includes("/out/"))).toEqual([]);
    expect(Buffer.from(history).toString("utf8")).not.toContain(secret);
    expect(history).not.toContain(Buffer.from(secret).toString("base64").slice(0, 20));
    await handle.signal(contract.stop, { by: "ada", reason: "" });
    await handle.result();
  });

  it.each([
    [
      "a link to what it may not read",
      `echo "stolen=yes" > ../secret; ln -s "$PWD/../secret" "$TOWPATH_OUTPUT"`,
    ],
    ["a FIFO", `mkfifo "$TOWPATH_OUTPUT"`],
    ["more than fits", `head -c 17000000 /dev/zero > "$TOWPATH_OUTPUT"`],
  ])("from giving %s for its outputs", async (_name, script) => {
    const bench = await workbench(cleanups, FILES);
    const handle = await bench.start(specOf(`{ id: sly, run: ${JSON.stringify(script)} }`));
    const view = await waitingFor(handle, "step-failed");
    expect(view.waiting?.message).toMatch(/\$TOWPATH_OUTPUT/);
    const { steps } = await bench.store.readManifest(handle.workflowId);
    expect(steps?.["sly"]).toMatchObject({ attempts: 1, failure: { kind: "command" } });
    await handle.signal(contract.stop, { by: "ada", reason: "" });
    await handle.result();
  });

  it("from configuring the git that Towpath runs", async () => {
    const bench = await workbench(cleanups, FILES);
    const handle = await bench.start(specOf(`{ id: sly, run: "git config core.fsmonitor /bin/true" }`));
    const view = await waitingFor(handle, "blocked");
    expect(view.waiting?.message).toContain("changed git configuration or hooks");
    await bench.repository.git("config", "--unset", "core.fsmonitor");
    await handle.signal(contract.stop, { by: "ada", reason: "" });
    await handle.result();
  });
});

describe("a migration that is stopped", () => {
  it("ends the running command with its children, undoes it, and keeps branch and evidence", async () => {
    const bench = await workbench(cleanups, FILES);
    const before = await bench.repository.snapshot();
    const handle = await bench.start(
      specWith(`${TRIVIAL_GUARDRAIL}
  migrate:
    steps:
      - { id: first, run: "echo new > src/app.txt" }
      - { id: endless, needs: [first], run: "echo half > src/half.txt; echo begun; sleep 4244" }
`),
    );
    await expect.poll(() => processesNamed("sleep 4244"), { timeout: 90_000 }).not.toEqual([]);
    await handle.signal(contract.stop, { by: "ada", reason: "wrong branch" });
    await expect(handle.result()).resolves.toMatchObject({ status: "stopped" });
    expect(await processesNamed("sleep 4244")).toEqual([]);
    const manifest = await bench.store.readManifest(handle.workflowId);
    expect(manifest).toMatchObject({ status: "stopped", outcome: "stopped by ada: wrong branch" });
    expect(await bench.repository.git("log", "--format=%s", `main..${manifest.branch ?? ""}`)).toBe("first");
    expect((await bench.repository.git("worktree", "list")).split("\n")).toHaveLength(1);
    expect(await bench.repository.snapshot()).toBe(before);
  });
});

async function processesNamed(command: string): Promise<string[]> {
  const { stdout } = await execa("ps", ["-eo", "args="]);
  return stdout.split("\n").filter((line) => line.startsWith(command));
}
