import { mkdir, mkdtemp, rm, symlink, truncate, utimes, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { MAX_REPORT_BYTES, readReport } from "../../../src/adapters/reports/read-report.js";
import { createRedactor } from "../../../src/model/redaction.js";

let home: string;
let directory: string;

const suite = (...names: string[]) =>
  `<testsuite>${names.map((name) => `<testcase classname="c" name="${name}"/>`).join("")}</testsuite>`;

async function write(file: string, content: string | Buffer): Promise<void> {
  const target = path.join(directory, file);
  await mkdir(path.dirname(target), { recursive: true });
  await writeFile(target, content);
}

async function namesIn(pattern: string): Promise<string[]> {
  const { report } = await readReport({ directory, pattern });
  return report.tests.map((test) => test.name);
}

beforeEach(async () => {
  home = await mkdtemp(path.join(os.tmpdir(), "towpath-reports-"));
  directory = path.join(home, "out");
  await mkdir(directory);
});
afterEach(async () => {
  await rm(home, { recursive: true });
});

describe("reading test reports", () => {
  it("reads a file, a directory, or a glob", async () => {
    await write("after.xml", suite("one"));
    await write("surefire/TEST-a.xml", suite("a1", "a2"));
    await write("surefire/deep/TEST-b.xml", suite("b"));
    await write("surefire/notes.txt", "no report");
    expect(await namesIn("after.xml")).toEqual(["one"]);
    expect(await namesIn("./surefire/")).toEqual(["a1", "a2", "b"]);
    expect(await namesIn("surefire/TEST-*.xml")).toEqual(["a1", "a2"]);
    expect(await namesIn("**/*.xml")).toEqual(["one", "a1", "a2", "b"]);
    expect(await namesIn(".")).toHaveLength(4);
    const { files } = await readReport({ directory, pattern: "surefire" });
    expect(files).toEqual(["surefire/TEST-a.xml", "surefire/deep/TEST-b.xml"]);
  });

  it("lets one of several files be empty of tests, but not all", async () => {
    await write("r/a.xml", suite());
    await write("r/b.xml", suite("b"));
    expect(await namesIn("r")).toEqual(["b"]);
    await expect(namesIn("r/a.xml")).rejects.toMatchObject({ type: "ArtefactInvalid" });
  });

  it("follows links within the directory and refuses those that lead out", async () => {
    await write("real.xml", suite("real"));
    await writeFile(path.join(home, "secret.xml"), suite("secret"));
    await symlink("real.xml", path.join(directory, "inside.xml"));
    await symlink("../secret.xml", path.join(directory, "outside.xml"));
    await symlink(home, path.join(directory, "up"));
    await symlink("nowhere.xml", path.join(directory, "dangling.xml"));
    expect(await namesIn("inside.xml")).toEqual(["real"]);
    for (const pattern of ["outside.xml", "up/secret.xml", "dangling.xml"])
      await expect(namesIn(pattern)).rejects.toMatchObject({
        type: "ArtefactInvalid",
        message: expect.stringContaining("symbolic link"),
      });
  });

  it.each(["../secret.xml", "a/../../secret.xml", "/etc/hostname"])(
    "refuses the path %s",
    async (pattern) => {
      await expect(namesIn(pattern)).rejects.toMatchObject({ type: "ArtefactInvalid" });
    },
  );

  it("says when there is no report", async () => {
    await expect(namesIn("after.xml")).rejects.toThrow(/No test report at after\.xml/);
    await expect(readReport({ directory: path.join(home, "none"), pattern: "*.xml" })).rejects.toThrow(
      /No test report/,
    );
  });

  it("refuses a report that is older than its command", async () => {
    await write("old.xml", suite("old"));
    const now = Date.now();
    await utimes(path.join(directory, "old.xml"), now / 1000 - 60, now / 1000 - 60);
    const request = { directory, pattern: "old.xml" };
    await expect(readReport({ ...request, notBeforeMs: now })).rejects.toThrow(/older than the command/);
    expect((await readReport({ ...request, notBeforeMs: now - 61_000 })).files).toEqual(["old.xml"]);
  });

  it("refuses text that is not UTF-8, and files that are too large", async () => {
    await write("latin.xml", Buffer.from(suite("\xe9"), "latin1"));
    await write("huge.xml", "");
    await truncate(path.join(directory, "huge.xml"), MAX_REPORT_BYTES + 1);
    await expect(namesIn("latin.xml")).rejects.toThrow(/not UTF-8/);
    await expect(namesIn("huge.xml")).rejects.toThrow(/at most/);
  });

  it("masks secrets in names and messages", async () => {
    await write(
      "r.xml",
      `<testsuite><testcase name="login tok&amp;n-1"><failure message="tok&amp;n-1!"/></testcase></testsuite>`,
    );
    const { report } = await readReport({
      directory,
      pattern: "r.xml",
      redactor: createRedactor(["tok&n-1", "testcase"]),
    });
    expect(report.tests).toEqual([{ classname: "", name: "login ***", status: "failed", message: "***!" }]);
  });

  it("masks a secret where a long message is cut", async () => {
    await write(
      "r.xml",
      `<testsuite><testcase name="t"><error>${"x".repeat(990)}a-long-secret</error></testcase></testsuite>`,
    );
    const redactor = createRedactor(["a-long-secret"]);
    const { report } = await readReport({ directory, pattern: "r.xml", redactor });
    expect(report.tests[0]?.message).toBe(`${"x".repeat(990)}***`);
  });
});
