import { execFile, spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  listProcesses,
  parsePs,
  processAlive,
  type ProcessEntry,
  processStartTime,
} from "../../../src/adapters/process/process-table.js";
import { selectRun } from "../../../src/adapters/process/process-tree.js";
import { killMarked, killRun, runCommand } from "../../../src/adapters/process/run-command.js";
import type { ProcessIdentity } from "../../../src/model/command.js";
import { createRedactor } from "../../../src/model/redaction.js";

const run: ProcessIdentity = { pid: 100, pgid: 100, startTime: "boot/1000", mark: "m" };

/** "pid ppid pgid session ticks mark" as an entry. */
function entry(line: string): ProcessEntry {
  const [pid = 0, ppid = 0, pgid = 0, session = 0, ticks = 0] = line.split(" ").map(Number);
  const mark = line.split(" ")[5] ?? null;
  return { pid, ppid, pgid, session, startTime: `boot/${ticks}`, mark: () => mark };
}

describe("the choice of a run's processes", () => {
  it.each([
    ["the command itself", ["100 1 100 100 1000"], [100]],
    ["a reused pid is another process", ["100 1 100 100 2000"], []],
    [
      "a reused pid and its new family",
      ["100 1 100 100 2000", "101 100 100 100 2001", "102 1 100 100 2002"],
      [],
    ],
    [
      "descendants, whatever their group",
      ["100 1 100 100 1000", "101 100 101 101 1001", "102 101 102 102 1002"],
      [100, 101, 102],
    ],
    [
      "the group and the session",
      ["100 1 100 100 1000", "101 1 100 7 1001", "102 1 102 100 1002"],
      [100, 101, 102],
    ],
    ["marked ones after the command is gone", ["101 1 101 101 1001 m", "102 101 102 102 1002"], [101, 102]],
    [
      "the group once a marked one proves it ours",
      ["101 1 100 100 1001 m", "102 1 100 100 1002"],
      [101, 102],
    ],
    ["the group of nobody we know", ["102 1 100 100 1002"], []],
    ["marked ones beside a reused pid", ["100 1 100 100 2000", "101 1 101 101 1001 m"], [101]],
    ["what began before the command", ["100 1 100 100 1000", "50 1 100 100 900 m"], [100]],
    ["other marks", ["101 1 101 101 1001 other", "102 1 102 102 1002"], []],
  ])("takes %s", (_, table, chosen) => {
    const pids = selectRun(table.map(entry), run).map(({ pid }) => pid);
    expect(pids.sort((a, b) => a - b)).toEqual(chosen);
  });

  it("never takes this process, nor anything by the mark alone of another", () => {
    expect(selectRun([entry(`${process.pid} 1 1 1 5000 m`)], { mark: "m" })).toEqual([]);
    expect(
      selectRun([entry("5 1 5 5 1 m"), entry("6 1 6 6 1 n")], { mark: "m" }).map(({ pid }) => pid),
    ).toEqual([5]);
  });
});

describe("the process table", () => {
  it("lists this process with its parent", () => {
    const self = listProcesses().find(({ pid }) => pid === process.pid);
    expect(self?.ppid).toBe(process.ppid);
    expect(self?.startTime).toBe(processStartTime(process.pid));
  });

  it("knows who is alive", async () => {
    const startTime = processStartTime(process.pid) ?? "";
    expect(processAlive(process.pid, startTime)).toBe(true);
    expect(processAlive(process.pid, "boot/1")).toBe(false);
    const child = spawn("true");
    await new Promise((resolve) => child.once("exit", resolve));
    expect(processStartTime(child.pid ?? 0)).toBeNull();
  });

  it("reads what ps of macOS writes", () => {
    const output = [
      "  501     1   501 Ss   Mon Nov 23 05:28:35 2026     /bin/bash -c sleep PATH=/bin TOWPATH_PROCESS_MARK=abc-1 A=b",
      "  502   501   501 Z    Tue Feb  3 15:08:05 2026     (sleep)",
      "  503   501   503 R+   Tue Feb  3 15:08:05 2026     sleep 5",
      "garbage",
    ].join("\n");
    const entries = parsePs(output);
    expect(entries).toMatchObject([
      { pid: 501, ppid: 1, pgid: 501, startTime: "Mon Nov 23 05:28:35 2026" },
      { pid: 503, ppid: 501, pgid: 503, startTime: "Tue Feb 3 15:08:05 2026" },
    ]);
    expect(entries.map((each) => each.mark())).toEqual(["abc-1", null]);
  });
});

describe("ending a run of a worker that died", () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(path.join(os.tmpdir(), "towpath-killrun-"));
  });
  afterEach(async () => {
    await rm(directory, { recursive: true });
  });

  const module = fileURLToPath(new URL("../../../src/adapters/process/run-command.ts", import.meta.url));
  const redaction = fileURLToPath(new URL("../../../src/model/redaction.ts", import.meta.url));
  const repository = fileURLToPath(new URL("../../..", import.meta.url));

  /** Runs a command in a worker of its own, kills the worker, and returns what it had recorded. */
  async function orphan(script: string): Promise<ProcessIdentity> {
    const source = `
      import { runCommand } from ${JSON.stringify(module)};
      import { createRedactor } from ${JSON.stringify(redaction)};
      await runCommand({
        command: { script: ${JSON.stringify(script)} }, cwd: ${JSON.stringify(directory)},
        env: { PATH: process.env.PATH }, logPath: ${JSON.stringify(path.join(directory, "log"))},
        redactor: createRedactor([]), mark: ${JSON.stringify(path.basename(directory))},
        onStart: (identity) => { globalThis.identity = identity; },
        onOutput: () => { process.stdout.write(JSON.stringify(globalThis.identity) + "\\n"); },
      });`;
    const file = path.join(directory, "worker.mts");
    await writeFile(file, source);
    const worker = spawn(process.execPath, ["--import", "tsx", file], {
      cwd: repository,
      stdio: ["ignore", "pipe", "inherit"],
    });
    const line = await new Promise<string>((resolve) =>
      worker.stdout.once("data", (data: Buffer) => resolve(data.toString())),
    );
    worker.kill("SIGKILL");
    await new Promise((resolve) => worker.once("exit", resolve));
    const { pid, startTime } = JSON.parse(line);
    const pgid: number = pid;
    return { pid, pgid, startTime, mark: path.basename(directory) };
  }

  it("ends its whole family, and again does nothing", async () => {
    const identity = await orphan(
      "trap '' PIPE TERM; setsid sleep 60 & sleep 60 & echo up; while true; do sleep 0.1; done",
    );
    expect(processAlive(identity.pid, identity.startTime)).toBe(true);
    const first = await killRun(identity, 200);
    expect(first.killed).toBeGreaterThanOrEqual(3);
    expect(first.survivors).toEqual([]);
    expect(processAlive(identity.pid, identity.startTime)).toBe(false);
    expect(listProcesses().filter((each) => each.mark() === identity.mark)).toEqual([]);
    expect(await killRun(identity, 200)).toEqual({ killed: 0, survivors: [] });
  });

  it("finds it by its mark alone, when the worker died before it recorded anything", async () => {
    const { mark, pid, startTime } = await orphan("echo up; sleep 60");
    expect((await killMarked(mark, 200)).killed).toBeGreaterThanOrEqual(1);
    expect(processAlive(pid, startTime)).toBe(false);
  });

  it("spares the process that has the pid now", async () => {
    const bystander = spawn("sleep", ["60"], { detached: true, stdio: "ignore" });
    const pid = bystander.pid ?? 0;
    const identity = { pid, pgid: pid, startTime: "another-boot/1", mark: "nobody" };
    expect(await killRun(identity, 100)).toEqual({ killed: 0, survivors: [] });
    expect(processStartTime(pid)).not.toBeNull();
    bystander.kill("SIGKILL");
  });

  it("leaves nothing in the temporary directory", async () => {
    const temporary = path.join(directory, "tmp");
    await promisify(execFile)("mkdir", [temporary]);
    const script = `
      import { runCommand } from ${JSON.stringify(module)};
      import { createRedactor } from ${JSON.stringify(redaction)};
      await runCommand({ command: { script: "cat" }, stdin: "x", cwd: "/", env: { PATH: process.env.PATH },
        logPath: ${JSON.stringify(path.join(directory, "log"))}, redactor: createRedactor([]) });`;
    await writeFile(path.join(directory, "once.mts"), script);
    await promisify(execFile)(process.execPath, ["--import", "tsx", path.join(directory, "once.mts")], {
      cwd: repository,
      env: { ...process.env, TMPDIR: temporary, TSX_DISABLE_CACHE: "1" },
    });
    const { stdout } = await promisify(execFile)("ls", ["-A", temporary]);
    expect(stdout.split("\n").filter((name) => name.startsWith("towpath"))).toEqual([]);
    expect(await readFile(path.join(directory, "log"), "utf8")).toBe("x");
  });

  it("is not needed after a run that ended", async () => {
    const identities: ProcessIdentity[] = [];
    await runCommand({
      command: { argv: ["true"] },
      cwd: directory,
      env: { PATH: process.env["PATH"] ?? "" },
      logPath: path.join(directory, "log"),
      redactor: createRedactor([]),
      onStart: (identity) => void identities.push(identity),
    });
    const [identity] = identities;
    expect(identity && (await killRun(identity))).toEqual({ killed: 0, survivors: [] });
  });
});
