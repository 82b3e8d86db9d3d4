import { execFileSync } from "node:child_process";
import { chmod, mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { findConventional, readDocumentFile } from "../../../src/adapters/requirements/input.js";
import { MAX_DOCUMENT_BYTES } from "../../../src/model/requirements/documents.js";
import { temporary } from "./fixture.js";
import { unprivileged } from "../../support/unprivileged.js";

async function refusal(path: string): Promise<unknown> {
  const error: unknown = await readDocumentFile(path).then(
    () => null,
    (thrown: unknown) => thrown,
  );
  expect(error).toMatchObject({ type: "RequirementsInvalid", category: "usage", details: { path } });
  return error instanceof Error && "details" in error ? error.details : null;
}

describe("a document that is given", () => {
  it.each<[reason: string, make: (path: string) => Promise<unknown>]>([
    ["missing", async () => undefined],
    ["directory", (path) => mkdir(path)],
    ["no-file", async (path) => execFileSync("mkfifo", [path])],
    ["empty", (path) => writeFile(path, "")],
    ["empty", (path) => writeFile(path, "\ufeff \r\n\t\n")],
    ["too-large", (path) => writeFile(path, Buffer.alloc(MAX_DOCUMENT_BYTES + 1, "x"))],
    ["unreadable", (path) => symlink(path, path)],
    ["missing", (path) => symlink("nowhere", path)],
  ])("is refused when it is %s", async (reason, make) => {
    const path = join(await temporary(), "PRD.md");
    await make(path);
    expect(await refusal(path)).toMatchObject({ reason });
  });

  it("is refused when it is a device or a socket", async () => {
    expect(await refusal("/dev/null")).toMatchObject({ reason: "no-file" });
    const path = join(await temporary(), "socket");
    const server = createServer().listen(path);
    onTestFinished(() => void server.close());
    await new Promise((resolve) => server.once("listening", resolve));
    expect(await refusal(path)).toMatchObject({ reason: "no-file" });
  });

  it("is refused when it may not be read", async () => {
    const directory = await temporary();
    await chmod(directory, 0o755);
    const path = join(directory, "PRD.md");
    await writeFile(path, "mine\n");
    await chmod(path, 0);
    expect(await unprivileged(() => refusal(path))).toMatchObject({ reason: "unreadable" });
  });

  it("may be as large as the limit, and lie behind a link", async () => {
    const directory = await temporary();
    const bytes = Buffer.alloc(MAX_DOCUMENT_BYTES, "x");
    await writeFile(join(directory, "PRD.md"), bytes);
    await symlink("PRD.md", join(directory, "link.md"));
    expect((await readDocumentFile(join(directory, "link.md"))).equals(bytes)).toBe(true);
  });
});

describe("a document under a conventional name", () => {
  it("is found, the first name that is there", async () => {
    const project = await temporary();
    expect(await findConventional(project)).toEqual({ found: null, notices: [] });
    await mkdir(join(project, "docs"));
    await writeFile(join(project, "docs", "PRD.md"), "in docs\n");
    expect((await findConventional(project)).found).toMatchObject({ name: "docs/PRD.md" });
    await writeFile(join(project, "SPEC.md"), "spec\n");
    const { found } = await findConventional(project);
    expect(found?.name).toBe("SPEC.md");
    expect(found?.bytes).toEqual(await readFile(join(project, "SPEC.md")));
  });

  it("is passed over, and said to be, when it cannot be one", async () => {
    const project = await temporary();
    const outside = await temporary();
    await writeFile(join(outside, "secret"), "secret\n");
    await symlink(join(outside, "secret"), join(project, "PRD.md"));
    await writeFile(join(project, "SPEC.md"), "");
    await mkdir(join(project, "REQUIREMENTS.md"));
    await writeFile(join(project, "docs"), "a file\n");
    const { found, notices } = await findConventional(project);
    expect(found).toBeNull();
    expect(notices.map((notice) => notice.split(" ")[0])).toEqual(["PRD.md", "SPEC.md", "REQUIREMENTS.md"]);
    expect(notices[0]).toContain("leads out of the project");
  });
});
