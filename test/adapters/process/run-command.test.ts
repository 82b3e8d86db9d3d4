import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { chmod, mkdtemp, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { listProcesses, processAlive } from "../../../src/adapters/process/process-table.js";
import {
  type CommandResult,
  runCommand,
  type RunOptions,
} from "../../../src/adapters/process/run-command.js";
import type { ProcessIdentity } from "../../../src/model/command.js";
import { HEAD_LENGTH, TAIL_LENGTH } from "../../../src/model/feedback.js";
import { shellCommand } from "../../../src/adapters/process/spawn.js";
import { createRedactor } from "../../../src/model/redaction.js";

let directory: string;
let mark: string;

beforeEach(async () => {
  directory = await mkdtemp(path.join(os.tmpdir(), "towpath-process-"));
  mark = path.basename(directory);
});
afterEach(async () => {
  const left = stillRunning();
  await rm(directory, { recursive: true });
  if (left.length > 0) throw new Error(`processes were left running: ${left.join(" ")}`);
});

const inDirectory = (name: string) => path.join(directory, name);
const stillRunning = () =>
  listProcesses()
    .filter((entry) => entry.mark() === mark)
    .map((entry) => entry.pid);

function run(script: string, options: Partial<RunOptions> = {}): Promise<CommandResult> {
  return runCommand({
    command: { script },
    cwd: directory,
    env: { PATH: process.env["PATH"] ?? "/usr/bin:/bin" },
    logPath: inDirectory("log/command.log"),
    redactor: createRedactor([]),
    killGraceMs: 300,
    mark,
    ...options,
  });
}

const readLog = () => readFile(inDirectory("log/command.log"), "utf8");

describe("running a command", () => {
  it("answers with exit code, output and sizes", async () => {
    const result = await run("echo out; echo err >&2; exit 3");
    expect(result).toMatchObject({
      exitCode: 3,
      signal: null,
      end: "exited",
      bytes: 8,
      omitted: 0,
      survivors: [],
    });
    expect(result.head).toBe("out\nerr\n");
  });

  it("keeps the order of stdout and stderr", async () => {
    const { head } = await run("for i in 1 2 3 4 5 6 7 8 9; do echo o$i; echo e$i >&2; done");
    expect(head.split("\n").filter(Boolean)).toEqual(
      [1, 2, 3, 4, 5, 6, 7, 8, 9].flatMap((n) => [`o${n}`, `e${n}`]),
    );
  });

  it("lets scripts open /dev/stdout, /dev/stderr and /dev/stdin", async () => {
    const { head, exitCode } = await run(
      "echo a > /dev/stderr; echo b | tee /dev/stderr >/dev/null; cat /dev/stdin",
      {
        stdin: "c\n",
      },
    );
    expect({ head, exitCode }).toEqual({ head: "a\nb\nc\n", exitCode: 0 });
  });

  it.each([
    ["false; echo unreachable", 1],
    ["false | true; echo unreachable", 1],
    ["x='a b'; [[ $x == 'a b' ]]\necho \"$#\"", 0],
  ])("gives a script whole to bash, which stops at the first failure: %s", async (script, exitCode) => {
    const result = await run(script);
    expect(result.exitCode).toBe(exitCode);
    expect(result.head).not.toContain("unreachable");
  });

  it("takes bash from the command's own PATH, and sh where there is no bash", async () => {
    await writeFile(inDirectory("bash"), '#!/bin/sh\necho own bash "$@"\n');
    await chmod(inDirectory("bash"), 0o755);
    const { head } = await run("true", { env: { PATH: `${directory}:/usr/bin:/bin` } });
    expect(head).toBe("own bash -e -o pipefail -c true\n");
    expect(shellCommand("true", "relative:/nowhere", [])).toEqual(["sh", "-e", "-c", "true"]);
  });

  it.runIf(process.platform === "linux")("hands down no pipe but its own", async () => {
    const { head } = await run("", {
      command: { argv: ["bash", "-c", 'for fd in /proc/$$/fd/*; do readlink "$fd"; done'] },
    });
    expect(head.split("\n").filter((target) => target.includes("towpath-pipes"))).toHaveLength(2);
  });

  it("gives arguments to a program without any shell", async () => {
    const { head } = await run("", { command: { argv: ["printf", "%s|", "$HOME", "a b", "; ls", "`id`"] } });
    expect(head).toBe("$HOME|a b|; ls|`id`|");
  });

  it("gives exactly the environment asked for, and its mark", async () => {
    const { head } = await run("", { command: { argv: ["env"] }, env: { PATH: "/usr/bin:/bin", A: "1" } });
    expect(head.trim().split("\n").sort()).toEqual([
      "A=1",
      "PATH=/usr/bin:/bin",
      `TOWPATH_PROCESS_MARK=${mark}`,
    ]);
  });

  it("gives end-of-file where there is no input", async () => {
    expect(await run("cat; echo done")).toMatchObject({ head: "done\n", exitCode: 0 });
  });

  it("gives large input whole, and does not mind a command that reads none of it", async () => {
    const stdin = "x".repeat(1024 * 1024);
    expect((await run("wc -c", { stdin })).head.trim()).toBe(String(stdin.length));
    expect(await run("exec 0<&-; echo deaf", { stdin })).toMatchObject({ exitCode: 0, head: "deaf\n" });
  });

  it("reports death by a signal as such", async () => {
    expect(await run("kill -SEGV $$")).toMatchObject({ exitCode: null, signal: "SIGSEGV", end: "exited" });
  });

  it("runs commands beside each other", async () => {
    const results = await Promise.all(
      Array.from({ length: 20 }, (_, n) =>
        run(`echo ${n}; exit ${n}`, { logPath: inDirectory(`log/${n}.log`), mark: `${mark}-${n}` }),
      ),
    );
    expect(results.map((result) => [result.exitCode, result.head])).toEqual(
      results.map((_, n) => [n, `${n}\n`]),
    );
  });
});

describe("a command that cannot be started", () => {
  it.each([
    [
      "a program that is not there",
      { command: { argv: ["no-such-program-here"] as [string] } },
      /not found on the command's PATH/,
    ],
    [
      "a directory that is not there",
      { cwd: "/no/such/directory" },
      /working directory \/no\/such\/directory does not exist/,
    ],
    [
      "a script that is too long",
      { command: { script: `: ${"x".repeat(200_000)}` } },
      /too long for the system/,
    ],
  ])("is a clear result: %s", async (_, options, reason) => {
    const result = await run("", options);
    expect(result).toMatchObject({ end: "spawn-failed", exitCode: null, signal: null });
    expect(result.head).toMatch(reason);
    expect(await readLog()).toMatch(reason);
  });

  it("may not be executed", async () => {
    await writeFile(inDirectory("plain"), "text");
    const result = await run("", { command: { argv: [inDirectory("plain")] } });
    expect(result).toMatchObject({ end: "spawn-failed" });
    expect(result.head).toMatch(/may not be executed/);
  });
});

describe("the log", () => {
  it("holds everything, appended, for its owner only", async () => {
    await run("seq 1 20000");
    await run("echo second");
    const lines = (await readLog()).split("\n");
    expect(lines).toHaveLength(20_002);
    expect(lines.at(-2)).toBe("second");
    expect((await stat(inDirectory("log/command.log"))).mode & 0o777).toBe(0o600);
    expect((await stat(inDirectory("log"))).mode & 0o777).toBe(0o700);
  });

  it("is whole, and memory bounded, for 60 MB in one line", async () => {
    const before = process.memoryUsage().rss;
    const result = await run("head -c 60000000 /dev/zero | tr '\\0' x; echo; echo last");
    expect(process.memoryUsage().rss - before).toBeLessThan(100e6);
    expect(result.bytes).toBe(60_000_006);
    expect(result.head).toBe("x".repeat(HEAD_LENGTH));
    expect(result.tail).toHaveLength(TAIL_LENGTH);
    expect(result.tail.endsWith("x\nlast\n")).toBe(true);
    expect(result.omitted).toBe(60_000_006 - HEAD_LENGTH - TAIL_LENGTH);
    expect((await stat(result.logPath)).size).toBe(60_000_006);
  });

  it("has the same bytes as the command wrote", async () => {
    const script = "awk 'BEGIN { for (i = 0; i < 300000; i++) print i, \"häßlich 😀\" }'";
    await run(script);
    const hash = createHash("sha256");
    for await (const chunk of createReadStream(inDirectory("log/command.log"))) hash.update(chunk);
    const expected = execFileSync("bash", ["-c", `${script} | sha256sum`], { encoding: "utf8" }).slice(0, 64);
    expect(hash.digest("hex")).toBe(expected);
  });

  it("survives bytes that are no UTF-8", async () => {
    const { head, exitCode } = await run("printf 'a\\xff\\xfeb\\xe2\\x82'");
    expect(exitCode).toBe(0);
    expect(head).toBe("a\uFFFD\uFFFDb\uFFFD");
  });

  it("never holds a secret, even one written byte by byte", async () => {
    const secret = "pässwörd-😀-42";
    const bytes = [...Buffer.from(secret)].map((byte) => `\\x${byte.toString(16)}`);
    const slowly = bytes.map((byte) => `printf '${byte}'; sleep 0.01`).join("\n");
    let streamed = "";
    const result = await run(`printf 'key: '\n${slowly}\necho " end"`, {
      redactor: createRedactor([secret]),
      onOutput: (chunk) => (streamed += chunk),
    });
    expect(await readLog()).toBe("key: *** end\n");
    expect([result.head, streamed]).toEqual(["key: *** end\n", "key: *** end\n"]);
  });

  it("never holds a secret across the borders of chunks", async () => {
    const secret = "a-secret-of-some-length";
    await run(`yes 'abc ${secret} def' | head -n 50000`, { redactor: createRedactor([secret]) });
    const log = await readLog();
    expect(log).not.toContain("secret");
    expect(log).toBe("abc *** def\n".repeat(50_000));
  });

  it("refuses to write through a symbolic link, and says what cannot be written", async () => {
    await symlink("/dev/null", inDirectory("link.log"));
    const refused = run("touch ran", { logPath: inDirectory("link.log") });
    await expect(refused).rejects.toMatchObject({ type: "StorageFailed", message: /link\.log/ });
    await expect(stat(inDirectory("ran"))).rejects.toMatchObject({ code: "ENOENT" });
  });

  it.runIf(process.platform === "linux")("ends the command when it cannot be written", async () => {
    const full = run("trap '' TERM; yes", { logPath: "/dev/full", timeoutMs: 20_000 });
    await expect(full).rejects.toMatchObject({ type: "StorageFailed" });
  });
});

const begins = performance.now.bind(performance);

describe("limits", () => {
  it("ends a command that takes too long", async () => {
    const begin = begins();
    const result = await run("echo begun; sleep 60", { timeoutMs: 200 });
    expect(result).toMatchObject({ end: "timeout", exitCode: null, signal: "SIGTERM", head: "begun\n" });
    expect(begins() - begin).toBeLessThan(10_000);
  });

  it("ends a command that is silent too long, but not one that keeps writing", async () => {
    expect(await run("echo x; sleep 60", { idleTimeoutMs: 300 })).toMatchObject({ end: "idle-timeout" });
    const busy = await run("for i in 1 2 3 4 5 6; do sleep 0.1; echo $i >&2; done", { idleTimeoutMs: 300 });
    expect(busy).toMatchObject({ end: "exited", exitCode: 0 });
  });

  it("ends a command that writes for ever by its total time", async () => {
    const result = await run("while true; do echo x; sleep 0.02; done", {
      idleTimeoutMs: 5000,
      timeoutMs: 300,
    });
    expect(result.end).toBe("timeout");
  });

  it("does not mistake a limit of a month for none at all", async () => {
    expect(await run("sleep 0.1", { timeoutMs: 40 * 86_400_000 })).toMatchObject({ end: "exited" });
  });

  it("ends a command that is cancelled", async () => {
    const controller = new AbortController();
    const result = await run("echo up; sleep 60", {
      signal: controller.signal,
      onOutput: () => {
        controller.abort();
      },
    });
    expect(result).toMatchObject({ end: "cancelled", signal: "SIGTERM", head: "up\n" });
  });

  it("does not start a command that was cancelled before", async () => {
    const result = await run("touch ran", { signal: AbortSignal.abort() });
    expect(result).toMatchObject({ end: "cancelled", exitCode: null });
    await expect(stat(inDirectory("ran"))).rejects.toMatchObject({ code: "ENOENT" });
  });

  it("gives time to end properly, and kills what ignores that", async () => {
    const polite = await run("trap 'echo bye; exit 7' TERM; sleep 60 & wait", { timeoutMs: 200 });
    expect(polite).toMatchObject({ end: "timeout", exitCode: 7, head: "bye\n" });
    const deaf = await run("trap '' TERM; while true; do sleep 0.1; done", { timeoutMs: 200 });
    expect(deaf).toMatchObject({ end: "timeout", signal: "SIGKILL" });
  });

  it("ends a command that is stopped", async () => {
    const result = await run("kill -STOP $$", { timeoutMs: 200, killGraceMs: 10_000 });
    expect(result).toMatchObject({ end: "timeout", signal: "SIGTERM" });
  });
});

/** Starts children that try to get away, each writing its pid; then does as told. */
const FAMILY = `
sleep 61 & echo $! >> pids
(sleep 62 & echo $! >> pids; wait) & echo $! >> pids
setsid sh -c 'echo $$ >> pids; exec sleep 63' &
(setsid sh -c 'echo $$ >> pids; sleep 64 >/dev/null 2>&1 & echo $! >> pids; exit' & )
(trap '' TERM HUP; nohup sleep 65 >/dev/null 2>&1 & echo $! >> pids)
setsid sh -c 'trap "" TERM HUP INT; echo $$ >> pids; while true; do sleep 0.2; done' >/dev/null 2>&1 &
while [ "$(wc -l < pids)" -lt 8 ]; do sleep 0.02; done
echo family
`;

async function familyPids(): Promise<number[]> {
  return (await readFile(inDirectory("pids"), "utf8")).trim().split("\n").map(Number);
}

function alive(pids: number[]): number[] {
  const living = new Set(listProcesses().map((entry) => entry.pid));
  return pids.filter((pid) => living.has(pid));
}

describe("the family of a command", () => {
  it.each([
    ["it is cancelled", "sleep 60", "cancelled"],
    ["it is cancelled and ignores SIGTERM", "trap '' TERM; while true; do sleep 1; done", "cancelled"],
    ["it exits", "exit 0", "exited"],
    ["it is killed", "kill -9 $$", "exited"],
  ])("is ended with it when %s", async (_, then, end) => {
    const controller = new AbortController();
    const result = await run(FAMILY + then, {
      signal: controller.signal,
      onOutput: () => {
        if (end === "cancelled") controller.abort();
      },
    });
    expect(result).toMatchObject({ end, survivors: [] });
    expect(result.head).toContain("family");
    expect(await familyPids()).toHaveLength(8);
    expect(alive(await familyPids())).toEqual([]);
  });

  it("does not hold the answer up by keeping the output open", async () => {
    const begin = begins();
    const result = await run("sleep 60 & setsid sleep 60 & echo done");
    expect(result).toMatchObject({ end: "exited", exitCode: 0, head: "done\n" });
    expect(begins() - begin).toBeLessThan(10_000);
  });

  it("does not hold the answer up even by a process that cannot be found", async () => {
    const begin = begins();
    const result = await run("(setsid env -i sleep 15 &) ; sleep 0.1; echo done");
    expect(result).toMatchObject({ end: "exited", exitCode: 0 });
    expect(result.head).toMatch(
      /^done\ntowpath: a process that left the command still holds its output open/,
    );
    expect(begins() - begin).toBeLessThan(10_000);
  });

  it("is spared when it belongs to somebody else", async () => {
    const [other] = await Promise.all([
      run("sleep 0.7; echo mine", { logPath: inDirectory("other.log"), mark: `${mark}-other` }),
      run("sleep 60", { timeoutMs: 200 }),
    ]);
    expect(other).toMatchObject({ end: "exited", exitCode: 0, head: "mine\n" });
  });
});

describe("the start of a command", () => {
  it("is told with an identity, while the command runs", async () => {
    let identity: ProcessIdentity | undefined;
    let living = false;
    await run("sleep 0.2; echo $$", {
      onStart(started) {
        identity = started;
        living = processAlive(started.pid, started.startTime);
      },
    });
    expect(living).toBe(true);
    expect(identity).toMatchObject({ pgid: identity?.pid, mark });
    expect(JSON.parse(JSON.stringify(identity))).toEqual(identity);
    expect(processAlive(identity?.pid ?? 0, identity?.startTime ?? "")).toBe(false);
  });

  it("ends the command when it cannot be recorded", async () => {
    const failing = run("sleep 60", {
      onStart: async () => Promise.reject(new Error("lease lost")),
    });
    await expect(failing).rejects.toThrow("lease lost");
    expect(stillRunning()).toEqual([]);
  });
});
