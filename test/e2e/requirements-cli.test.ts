import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { type CliAnswer, type Home, makeHome } from "../support/cli.js";
import { createRepository, temporaryDirectory, type TestRepository } from "../support/repository.js";
import { sha } from "../adapters/requirements/fixture.js";

const Started = z.object({ id: z.string() });
const Failure = z.object({
  error: z.object({ type: z.string(), message: z.string(), details: z.record(z.string(), z.unknown()) }),
});
const Decided = z.object({ action: z.string(), rule: z.string(), why: z.string() });
const Status = z.object({
  requirements: z.object({ action: z.string(), sha: z.string().nullable() }).nullish(),
});

const BYTES = Buffer.concat([
  Buffer.from("\ufeff# Mine 🚢\r\n"),
  Buffer.from([0xff]),
  Buffer.from("\nno newline"),
]);

const cleanups: (() => Promise<void>)[] = [];
let home: Home;
let repository: TestRepository;
let document: string;

beforeAll(async () => {
  home = await makeHome("own");
  cleanups.push(() => home.remove());
}, 300_000);
beforeEach(async () => {
  const directory = await temporaryDirectory(cleanups);
  repository = await createRepository(join(directory, "project"), { "a.py": "import json\n" });
  document = join(repository.path, ".towpath", "generated-prd.md");
});
afterAll(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function ok(...args: string[]): Promise<CliAnswer> {
  const answer = await home.run(args);
  expect(answer).toMatchObject({ code: 0 });
  return answer;
}

async function refused(code: number, ...args: string[]): Promise<z.infer<typeof Failure>["error"]> {
  const answer = await home.run([...args, "--json"]);
  expect(answer).toMatchObject({ code });
  return Failure.parse(JSON.parse(answer.stdout)).error;
}

async function why(...args: string[]): Promise<z.infer<typeof Decided>> {
  return Decided.parse(JSON.parse((await ok("prd", "why", repository.path, ...args, "--json")).stdout));
}

/** Starts a hands-on migration, waits until its requirements are settled, and stops it. */
async function started(...args: string[]): Promise<{ id: string; action: string | undefined }> {
  const answer = await ok("start", repository.path, "--target", "next", "--json", ...args);
  const { id } = Started.parse(JSON.parse(answer.stdout));
  const status = async (): Promise<z.infer<typeof Status>> =>
    Status.parse(JSON.parse((await ok("status", id, "--json")).stdout));
  await expect
    .poll(async () => (await status()).requirements?.sha ?? null, { timeout: 90_000 })
    .not.toBeNull();
  const { requirements } = await status();
  await ok("stop", id, "--yes");
  return { id, action: requirements?.action };
}

describe("towpath start --prd", { timeout: 300_000 }, () => {
  it.each<[reason: string, make: (path: string) => Promise<unknown>]>([
    ["missing", async () => undefined],
    ["directory", (path) => mkdir(path)],
    ["no-file", async (path) => execFileSync("mkfifo", [path])],
    ["empty", (path) => writeFile(path, "")],
    ["too-large", (path) => writeFile(path, Buffer.alloc(5_000_000, "x"))],
    ["unreadable", (path) => symlink(path, path)],
  ])("refuses a document that is %s before anything is written", async (reason, make) => {
    const given = join(repository.path, "..", "given.md");
    await make(given);
    const before = await repository.snapshot();
    const error = await refused(2, "start", repository.path, "--target", "next", "--prd", given);
    expect(error).toMatchObject({ type: "RequirementsInvalid", details: { reason } });
    expect(existsSync(join(repository.path, ".towpath"))).toBe(false);
    expect(await repository.snapshot()).toBe(before);
  });

  it("shows with --dry-run what it would do, and writes nothing", async () => {
    const plan = await ok("start", repository.path, "--target", "next", "--dry-run");
    expect(plan.stdout).toContain("requirements: generate because no document is persisted in the project");
    expect(existsSync(join(repository.path, ".towpath"))).toBe(false);
  });

  it("keeps the document byte for byte, by a relative path and through a link, and uses it ever after", async () => {
    const before = await repository.snapshot();
    await writeFile(join(repository.path, "..", "mine.md"), BYTES);
    await symlink("mine.md", join(repository.path, "..", "link.md"));
    const first = await started("--prd", relative(process.cwd(), join(repository.path, "..", "link.md")));
    expect(first.action).toBe("user_owned");
    expect((await readFile(document)).equals(BYTES)).toBe(true);
    expect((await started()).action).toBe("user_owned");
    expect((await why()).why).toMatch(
      /^user_owned because the persisted document is a user's \(from .*link\.md\)/,
    );
    expect((await ok("prd", "why", "--of", first.id)).stdout).toContain("given with --prd");
    expect((await ok("status", first.id)).stdout).toContain(sha(BYTES).slice(0, 12));
    expect(await repository.snapshot()).toBe(before);
  });

  it("takes the canonical file itself without copying it onto itself, and another project's as a user's", async () => {
    await started();
    const generated = await readFile(document);
    expect((await started("--prd", document)).action).toBe("user_owned");
    expect((await readFile(document)).equals(generated)).toBe(true);
    expect(await why()).toMatchObject({ rule: "user" });
    const other = await createRepository(join(repository.path, "..", "other"), { "b.py": "import os\n" });
    const from = document;
    repository = other;
    document = join(other.path, ".towpath", "generated-prd.md");
    expect((await started("--prd", from)).action).toBe("user_owned");
    expect((await readFile(document)).equals(generated)).toBe(true);
  });
});

describe("towpath prd", { timeout: 300_000 }, () => {
  it("says that there is nothing yet", async () => {
    expect(await refused(3, "prd", "show", repository.path)).toMatchObject({ type: "RequirementsNotFound" });
    expect(await refused(3, "prd", "diff", repository.path)).toMatchObject({ type: "RequirementsNotFound" });
    expect(await refused(3, "prd", "restore", "abcd", repository.path)).toMatchObject({
      type: "RequirementsNotFound",
    });
    expect(await refused(2, "prd", "restore", "no sha", repository.path)).toMatchObject({ type: "Usage" });
    expect(await refused(2, "prd", "why", join(repository.path, "nowhere"))).toMatchObject({ type: "Usage" });
    expect((await ok("prd", "history", repository.path)).stdout).toContain("No requirements document yet");
    expect(existsSync(join(repository.path, ".towpath"))).toBe(false);
  });

  it("archives a user's document before --fresh-prd replaces it, and restores it byte for byte", async () => {
    await writeFile(join(repository.path, "..", "mine.md"), BYTES);
    await started("--prd", join(repository.path, "..", "mine.md"));
    expect((await started("--fresh-prd")).action).toBe("generate");
    expect(await readFile(document, "utf8")).toContain("# Requirements");
    expect(await why()).toMatchObject({ action: "reuse" });

    const history = (await ok("prd", "history", repository.path)).stdout;
    expect(history).toMatch(new RegExp(`generated +current[^]*${sha(BYTES).slice(0, 12)} +user +replaced`));
    expect((await ok("prd", "diff", repository.path)).stdout).toContain("+# Requirements");
    await ok("prd", "restore", sha(BYTES).slice(0, 8), repository.path);
    expect((await readFile(document)).equals(BYTES)).toBe(true);
    expect(await why()).toMatchObject({ action: "user_owned", rule: "user" });
    expect((await ok("prd", "show", repository.path)).stdout).toContain("# Mine 🚢");
  });

  it("explains with the files that changed, and with what a start would be given", async () => {
    await started();
    expect(await why()).toMatchObject({ action: "reuse" });
    await repository.write({ "b.py": "1\n", "c.py": "2\n", "a.py": "3\n" });
    expect((await why()).why).toBe("update because 3 files changed: a.py, b.py, c.py");
    expect(await why("--fresh-prd")).toMatchObject({ action: "generate", rule: "fresh" });
    expect(await why("--prd", join(repository.path, "a.py"))).toMatchObject({ rule: "argument" });
    await writeFile(document, "edited\n");
    expect(await why()).toMatchObject({ action: "user_owned", rule: "edited" });
    await writeFile(join(repository.path, ".towpath", "state", "prd-signature.json"), "{");
    expect(await why()).toMatchObject({ action: "user_owned", rule: "unknown-provenance" });
  });
});
