import { appendFile, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { listLogs, readLogFrom } from "../../../src/adapters/logs/logs.js";

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

describe("listLogs", () => {
  it("finds none where nothing was written", async () => {
    expect(await listLogs(path.join(logs, "missing"))).toEqual([]);
    expect(await listLogs(logs, "never-ran")).toEqual([]);
  });

  it("lists the logs of all steps in the order in which they were begun", async () => {
    await write("one", "attempt-1.run.log", "a");
    await write("one", "attempt-2.run.log", "bb");
    await write("gate-migrate", "attempt-1.tests.log", "ccc");
    const found = await listLogs(logs);
    expect(found.map(({ step, attempt, what, bytes }) => [step, attempt, what, bytes])).toEqual([
      ["one", 1, "run", 1],
      ["one", 2, "run", 2],
      ["gate-migrate", 1, "tests", 3],
    ]);
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
