import { writeFileSync } from "node:fs";
import { appendFile, mkdir, mkdtemp, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { listLogs, readLogFrom, type LogFile } from "../../../src/adapters/logs/logs.js";

let logs: string;

beforeEach(async () => {
  logs = await mkdtemp(path.join(tmpdir(), "logs-"));
});
afterEach(async () => {
  await rm(logs, { recursive: true });
});

async function write(step: string, name: string, text: string): Promise<void> {
  await mkdir(path.join(logs, step), { recursive: true });
  await writeFile(path.join(logs, step, name), text);
}

/** Returns once a new file is younger than those before it: times of files advance with the kernel's tick alone. */
async function awaitNextTick(): Promise<void> {
  const probe = path.join(logs, "probe");
  const birth = async (): Promise<number> => {
    await writeFile(probe, "");
    const { birthtimeMs } = await stat(probe);
    await rm(probe);
    return birthtimeMs;
  };
  const first = await birth();
  while ((await birth()) <= first) continue;
}

describe("listLogs", () => {
  it("finds none where nothing was written", async () => {
    expect(await listLogs(path.join(logs, "missing"))).toEqual([]);
    expect(await listLogs(logs, "never-ran")).toEqual([]);
  });

  it("lists the logs of all steps in the order in which they were begun", async () => {
    await write("one", "attempt-1.run.log", "a");
    await awaitNextTick();
    await write("one", "attempt-2.run.log", "bb");
    await awaitNextTick();
    await write("gate-migrate", "attempt-1.tests.log", "ccc");
    const found = await listLogs(logs);
    expect(found.map(({ step, attempt, what, bytes }) => [step, attempt, what, bytes])).toEqual([
      ["one", 1, "run", 1],
      ["one", 2, "run", 2],
      ["gate-migrate", 1, "tests", 3],
    ]);
  });

  it("lists what one step began within a tick by attempt and number", async () => {
    const names = [
      "attempt-1.run.log",
      "attempt-1.verify-2.log",
      "attempt-1.verify-10.log",
      "attempt-2.run.log",
    ];
    let found: LogFile[] = [];
    do {
      await rm(path.join(logs, "one"), { recursive: true, force: true });
      await mkdir(path.join(logs, "one"));
      for (const name of [...names].reverse()) writeFileSync(path.join(logs, "one", name), "a");
      found = await listLogs(logs, "one");
    } while (new Set(found.map(({ createdAt }) => createdAt)).size > 1);
    expect(found.map((log) => path.basename(log.path))).toEqual(names);
  });

  it("leaves out what is no log: other names, directories, links", async () => {
    await write("one", "notes.txt", "a");
    await mkdir(path.join(logs, "one", "attempt-1.dir.log"));
    await symlink("/etc/passwd", path.join(logs, "one", "attempt-1.link.log"));
    expect(await listLogs(logs)).toEqual([]);
  });

  it("never leaves its directory", async () => {
    expect(await listLogs(path.join(logs, "deeper"), "../one")).toEqual([]);
  });
});

describe("readLogFrom", () => {
  it("reads on from where it was", async () => {
    await write("one", "attempt-1.run.log", "first\n");
    const file = path.join(logs, "one", "attempt-1.run.log");
    const pieces: string[] = [];
    const take = async (bytes: Uint8Array): Promise<void> => {
      pieces.push(Buffer.from(bytes).toString());
    };
    const offset = await readLogFrom(file, 0, take);
    await appendFile(file, "x".repeat(200_000));
    expect(await readLogFrom(file, offset, take)).toBe(200_006);
    expect(pieces.join("")).toBe(`first\n${"x".repeat(200_000)}`);
  });

  it("follows no link", async () => {
    await symlink("/etc/passwd", path.join(logs, "link.log"));
    await expect(readLogFrom(path.join(logs, "link.log"), 0, async () => {})).rejects.toMatchObject({
      type: "StorageFailed",
    });
  });
});
