import { spawn } from "node:child_process";
import { closeSync, constants, openSync } from "node:fs";
import * as fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { nodeEntry } from "../../../src/adapters/installation/node-entry.js";
import { SpawnFailure } from "../../../src/adapters/process/captured.js";
import { encodeFrame, FrameReader } from "../../../src/adapters/process/frames.js";
import { SpawnHelper } from "../../../src/adapters/process/helper-client.js";
import { capture, SPAWN_HELPER, useSpawnHelper } from "../../../src/adapters/process/processes.js";
import { processStartTime } from "../../../src/adapters/process/process-table.js";

const ENTRY = nodeEntry(SPAWN_HELPER);
const env = { PATH: process.env["PATH"] ?? "/usr/bin:/bin" };
const shell = (script: string, more: object = {}) => ({
  file: "sh",
  args: ["-c", script],
  cwd: "/",
  env,
  input: null,
  maxBytes: 1 << 20,
  ...more,
});

const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

async function helper(): Promise<SpawnHelper> {
  const started = await SpawnHelper.start(ENTRY);
  ends.push(() => started.close());
  return started;
}

describe("frames", () => {
  it("arrive as they were sent, however the stream is cut", () => {
    const frames = fc.array(
      fc.record({ header: fc.dictionary(fc.string(), fc.string()), payload: fc.uint8Array() }),
    );
    fc.assert(
      fc.property(frames, fc.array(fc.integer({ min: 1, max: 20 })), (sent, cuts) => {
        let rest = Buffer.concat(sent.map(({ header, payload }) => encodeFrame(header, payload)));
        const reader = new FrameReader();
        const got = [];
        for (const cut of [...cuts, rest.length]) {
          got.push(...reader.push(Buffer.from(rest.subarray(0, cut))));
          rest = rest.subarray(cut);
        }
        expect(got.map(({ header, payload }) => ({ header, payload: new Uint8Array(payload) }))).toEqual(
          sent.map(({ header, payload }) => ({ header: { ...header }, payload: new Uint8Array(payload) })),
        );
      }),
    );
  });
});

// The same whoever starts the process.
describe.each([
  ["this process", async () => undefined],
  ["a helper", async () => void ends.push(await useSpawnHelper(ENTRY))],
])("a process started by %s", (_who, prepare) => {
  it("answers with what it wrote and how it ended", async () => {
    await prepare();
    const result = await capture(shell("cat; echo err >&2; exit 3", { input: Buffer.from("in\0put") }));
    expect(result).toMatchObject({ exitCode: 3, signal: null, stderr: "err\n", truncated: false });
    expect(result.stdout.toString()).toBe("in\0put");
    expect(await capture(shell("kill -KILL $$"))).toMatchObject({ exitCode: null, signal: "SIGKILL" });
  });

  it("may write a lot, and is ended when that is too much", async () => {
    await prepare();
    const much = await capture(shell("head -c 3000000 /dev/zero", { maxBytes: 1 << 22 }));
    expect(much).toMatchObject({ exitCode: 0, truncated: false });
    expect(much.stdout.length).toBe(3_000_000);
    const cut = await capture(shell("yes", { maxBytes: 1_000 }));
    expect(cut.truncated).toBe(true);
    expect(cut.stdout.length).toBe(1_000);
    // Nor does what it has started hold it up.
    expect(await capture(shell("yes & yes", { maxBytes: 1_000 }))).toMatchObject({ truncated: true });
  });

  it("is told apart from one that could not be started", async () => {
    await prepare();
    await expect(capture({ ...shell(""), file: "no-such-program" })).rejects.toMatchObject({
      code: "ENOENT",
    });
    await expect(capture({ ...shell(""), cwd: "/no/such/directory" })).rejects.toBeInstanceOf(SpawnFailure);
  });

  it("is ended by an aborted signal before the call returns", async () => {
    await prepare();
    const abort = new AbortController();
    const reason = new Error("enough");
    const running = capture(shell("echo $$ >&2; exec sleep 60", { signal: abort.signal }));
    setTimeout(() => abort.abort(reason), 50);
    await expect(running).rejects.toBe(reason);
    await expect(capture(shell("", { signal: abort.signal }))).rejects.toBe(reason);
  });

  it("has no environment but its own", async () => {
    await prepare();
    const { stdout } = await capture(shell("env -u PWD -u SHLVL -u _ env", { env: { ...env, OWN: "1" } }));
    expect(stdout.toString().trim().split("\n").sort()).toEqual(["OWN=1", `PATH=${env.PATH}`]);
  });
});

describe("a spawn helper", () => {
  it("runs many at once", async () => {
    const small = await helper();
    const results = await Promise.all(
      Array.from({ length: 40 }, (_, i) => small.capture(shell(`echo ${i}`), null)),
    );
    expect(results.map(({ stdout }) => stdout.toString().trim())).toEqual(results.map((_, i) => String(i)));
  });

  it("fails what was asked of it when it dies, and is replaced", async () => {
    ends.push(await useSpawnHelper(ENTRY));
    const parent = Number((await capture(shell("echo $PPID"))).stdout.toString());
    expect(parent).not.toBe(process.pid);
    const running = capture(shell("sleep 60"));
    process.kill(parent, "SIGKILL");
    await expect(running).rejects.toMatchObject({ type: "Internal" });
    const next = Number((await capture(shell("echo $PPID"))).stdout.toString());
    expect([parent, process.pid]).not.toContain(next);
  });

  it("starts commands with this process's descriptors, and tells who they are and how they ended", async () => {
    const small = await helper();
    const [input, output] = [
      openSync("/dev/null", constants.O_RDONLY),
      openSync("/dev/null", constants.O_WRONLY),
    ];
    const paths = { stdin: `/proc/${process.pid}/fd/${input}`, output: `/proc/${process.pid}/fd/${output}` };
    const started = await small.start({
      file: "sh",
      args: ["-c", "sleep 0.3; exit 7"],
      cwd: "/",
      env,
      ...paths,
    });
    expect(started.startTime).toBe(processStartTime(started.pid));
    await expect(started.exit).resolves.toEqual({ exitCode: 7, signal: null });
    const gone = { ...paths, stdin: "/proc/self/fd/999" };
    await expect(small.start({ file: "true", args: [], cwd: "/", env, ...gone })).rejects.toMatchObject({
      name: "DescriptorsUnreachable",
    });
    closeSync(input);
    closeSync(output);
  });

  it("ends when its worker is killed", async () => {
    const script = `
      import { SpawnHelper } from ${JSON.stringify(new URL("../../../src/adapters/process/helper-client.ts", import.meta.url).href)};
      const helper = await SpawnHelper.start(${JSON.stringify(ENTRY)});
      process.stdout.write(String(helper.pid));
      setInterval(() => undefined, 1000);`;
    const args = ["--import", import.meta.resolve("tsx"), "--input-type=module", "--eval", script];
    const worker = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
    const pid = await new Promise<number>((resolve) => {
      worker.stdout.once("data", (chunk) => resolve(Number(String(chunk))));
    });
    expect(processStartTime(pid)).not.toBeNull();
    worker.kill("SIGKILL");
    await expect.poll(() => processStartTime(pid), { timeout: 90_000 }).toBeNull();
  });
});
