import { existsSync } from "node:fs";
import { chmod, lstat, mkdir, readFile, rm, symlink, unlink, writeFile } from "node:fs/promises";
import { execa } from "execa";
import { describe, expect, it } from "vitest";
import { findDocument, knownDocuments, readDocument } from "../../../src/adapters/requirements/archive.js";
import { placeIdentity, readCurrent } from "../../../src/adapters/requirements/current.js";
import { copyPath } from "../../../src/adapters/requirements/paths.js";
import { persistDocument, showDocument } from "../../../src/adapters/requirements/persist.js";
import { codeOf, draft, emptyProject, leftovers, NOW, persist, pointerOf, sha } from "./fixture.js";
import { unprivileged } from "../../support/unprivileged.js";

const TEXTS: [name: string, bytes: Buffer][] = [
  ["UTF-8 with emoji", Buffer.from("# Anforderungen 🚢\nÜber alles\n")],
  ["CRLF", Buffer.from("# a\r\nb\r\n")],
  ["a byte order mark", Buffer.from("\ufeff# a\n")],
  ["no final newline", Buffer.from("# a\nb")],
  ["invalid UTF-8", Buffer.from([0x23, 0x20, 0xff, 0xfe, 0x00, 0xc3, 0x28, 0x0a])],
  ["1 MiB", Buffer.alloc(1024 * 1024, "0123456789abcde\n")],
];

describe("a persisted document", () => {
  it.each(TEXTS)("is kept byte for byte: %s", async (_, bytes) => {
    const paths = await emptyProject();
    const { outcome, sha: digest } = await persistDocument(paths, draft(bytes));
    expect(outcome).toBe("persisted");
    expect(digest).toBe(sha(bytes));
    expect((await readFile(paths.document)).equals(bytes)).toBe(true);
    expect((await readCurrent(paths)).document?.bytes.equals(bytes)).toBe(true);
    expect((await readDocument(paths, digest))?.equals(bytes)).toBe(true);
  });

  it("is recorded with the signature of the code, its source and where it came from", async () => {
    const paths = await emptyProject();
    const digest = await persist(paths, "mine\n", { origin: "/somewhere/PRD.md", code: codeOf("x") });
    expect(await pointerOf(paths)).toMatchObject({
      signature: codeOf("x").signature,
      generated_at: NOW.toISOString(),
      prd_path: ".towpath/generated-prd.md",
      prd_sha: digest,
      mode: "files",
      source: "user",
      origin_path: "/somewhere/PRD.md",
    });
    expect((await readCurrent(paths)).document).toMatchObject({ provenance: "user", edited: false });
  });

  it("leaves git's status clean, and an ignore file of the user's as it is", async () => {
    const paths = await emptyProject();
    await execa("git", ["init", "--quiet"], { cwd: paths.project });
    await persist(paths, "mine\n");
    expect((await execa("git", ["status", "--porcelain"], { cwd: paths.project })).stdout).toBe("");
    await writeFile(paths.ignore, "state/\n");
    await persist(paths, "other\n");
    expect(await readFile(paths.ignore, "utf8")).toBe("state/\n");
  });

  it("is not written again when it is there already", async () => {
    const paths = await emptyProject();
    await persist(paths, "mine\n");
    const before = await readFile(paths.pointer, "utf8");
    expect(await persistDocument(paths, draft("mine\n", { now: new Date() }))).toMatchObject({
      outcome: "unchanged",
    });
    expect(await readFile(paths.pointer, "utf8")).toBe(before);
  });

  it("becomes a user's when a user gives the very bytes that were generated", async () => {
    const paths = await emptyProject();
    await persist(paths, "same\n", { source: "generated" });
    await persist(paths, "same\n");
    expect(await pointerOf(paths)).toMatchObject({ source: "user", history: [] });
  });

  it("is not replaced where whoever asked does not accept what is there", async () => {
    const paths = await emptyProject();
    await persist(paths, "mine\n");
    const refused = await persistDocument(paths, draft("new\n", { source: "generated" }), {
      accept: ({ document }) => document?.provenance !== "user",
    });
    expect(refused.outcome).toBe("refused");
    expect(await readFile(paths.document, "utf8")).toBe("mine\n");
    expect(await leftovers(paths)).toEqual([]);
  });
});

describe("a document that is replaced", () => {
  it("is archived with its sha, and comes back byte for byte", async () => {
    const paths = await emptyProject();
    const bytes = TEXTS[4]?.[1] ?? Buffer.alloc(0);
    const { sha: first } = await persistDocument(paths, draft(bytes, { origin: "/a/PRD.md" }));
    await persist(paths, "generated\n", { source: "generated" });
    expect(await knownDocuments(paths)).toMatchObject([
      { state: "current", source: "generated" },
      { state: "replaced", source: "user", sha: first, origin: "/a/PRD.md", replacedAt: NOW.toISOString() },
    ]);
    const found = await findDocument(paths, first.slice(0, 6));
    expect(found.bytes.equals(bytes)).toBe(true);
    await persistDocument(paths, draft(found.bytes));
    expect((await readFile(paths.document)).equals(bytes)).toBe(true);
  });

  it("is archived as it was edited, too", async () => {
    const paths = await emptyProject();
    const first = await persist(paths, "generated\n", { source: "generated" });
    await writeFile(paths.document, "edited by hand\n");
    await persist(paths, "given\n");
    const known = await knownDocuments(paths);
    expect(known.map((document) => [document.sha, document.source])).toEqual([
      [sha("given\n"), "user"],
      [sha("edited by hand\n"), "user"],
      [first, "generated"],
    ]);
    expect((await readDocument(paths, sha("edited by hand\n")))?.toString()).toBe("edited by hand\n");
    expect(await leftovers(paths)).toEqual([]);
  });

  it("stays known although the record of it is damaged, or another tool's replaced it", async () => {
    const paths = await emptyProject();
    const first = await persist(paths, "one\n");
    const second = await persist(paths, "two\n");
    await writeFile(paths.pointer, "{ damaged");
    const third = await persist(paths, "three\n");
    expect((await knownDocuments(paths)).map((document) => document.sha).toSorted()).toEqual(
      [first, second, third].toSorted(),
    );
    const { history: _, ...foreign } = await pointerOf(paths);
    await writeFile(paths.pointer, JSON.stringify(foreign));
    await persist(paths, "four\n");
    const shas = new Set((await knownDocuments(paths)).map((document) => document.sha));
    expect([first, second, third].every((known) => shas.has(known))).toBe(true);
  });

  it("is let go when it is an old generated one, and kept for ever when it is a person's", async () => {
    const paths = await emptyProject();
    const mine = await persist(paths, "mine\n");
    for (let n = 0; n < 24; n += 1) await persist(paths, `generated ${n}\n`, { source: "generated" });
    const known = await knownDocuments(paths);
    expect(known.filter(({ source, state }) => source === "generated" && state === "replaced")).toHaveLength(
      20,
    );
    expect(known.at(-1)).toMatchObject({ sha: mine, source: "user" });
    expect(existsSync(copyPath(paths, sha("generated 0\n")))).toBe(false);
    expect(await leftovers(paths)).toEqual([]);
  });
});

describe("what is read of a project", () => {
  it("is nothing where nothing is", async () => {
    const paths = await emptyProject();
    expect(await readCurrent(paths)).toMatchObject({ document: null, record: "missing", damage: null });
    expect(existsSync(paths.directory)).toBe(false);
  });

  it.each([
    ["there is no record", async (pointer: string) => unlink(pointer)],
    ["the record is no JSON", async (pointer: string) => writeFile(pointer, "{")],
    [
      "the record is of another shape",
      async (pointer: string) => writeFile(pointer, '{"source":"generated"}'),
    ],
    [
      "the source is none that is known",
      async (pointer: string) =>
        writeFile(pointer, (await readFile(pointer, "utf8")).replace('"generated"', '"robot"')),
    ],
    [
      "the sha is cut off",
      async (pointer: string) =>
        writeFile(
          pointer,
          (await readFile(pointer, "utf8")).replace(/"prd_sha": "[0-9a-f]{10}/, '"prd_sha": "'),
        ),
    ],
  ])("has an unknown provenance where %s", async (_, damage) => {
    const paths = await emptyProject();
    await persist(paths, "generated\n", { source: "generated" });
    await damage(paths.pointer);
    const { document, damage: said } = await readCurrent(paths);
    expect(document).toMatchObject({ provenance: "unknown", sha: sha("generated\n") });
    expect(said).toMatch(/record/);
  });

  it("is the copy where the document itself was removed, which is shown again", async () => {
    const paths = await emptyProject();
    const digest = await persist(paths, "mine\n");
    await unlink(paths.document);
    expect(await readCurrent(paths)).toMatchObject({ document: { sha: digest, edited: false }, stale: true });
    await showDocument(paths);
    expect(await readFile(paths.document, "utf8")).toBe("mine\n");
  });

  it("is the new document where its writer died before it showed it, not an edit of it", async () => {
    const paths = await emptyProject();
    await persist(paths, "old\n", { source: "generated" });
    await persist(paths, "new\n", { source: "generated" });
    // As if the process had died between the record and the document: what the record was written over lies there still.
    await writeFile(paths.document, "old\n");
    const pointer = { ...(await pointerOf(paths)), over: await identityOf(paths.document) };
    await writeFile(paths.pointer, JSON.stringify(pointer));
    expect(await readCurrent(paths)).toMatchObject({ document: { sha: sha("new\n") }, stale: true });
    await writeFile(paths.document, "old\n");
    expect(await readCurrent(paths)).toMatchObject({
      document: { sha: sha("old\n"), edited: true },
      stale: false,
    });
  });

  it("is an error where it may not be read", async () => {
    const paths = await emptyProject();
    await persist(paths, "mine\n");
    for (const directory of [paths.project, paths.directory, paths.state]) await chmod(directory, 0o755);
    await chmod(paths.pointer, 0);
    await expect(unprivileged(() => readCurrent(paths))).rejects.toMatchObject({ type: "StorageFailed" });
  });

  it.each(["directory", "state", "copies"] as const)(
    "never goes through a link in place of its %s",
    async (place) => {
      const paths = await emptyProject();
      const elsewhere = await emptyProject();
      if (place !== "directory")
        await mkdir(place === "copies" ? paths.state : paths.directory, { recursive: true });
      await symlink(elsewhere.project, paths[place]);
      await expect(persist(paths, "mine\n")).rejects.toMatchObject({ type: "StorageFailed" });
      await rm(paths[place]);
    },
  );
});

async function identityOf(path: string): Promise<string> {
  return placeIdentity(await lstat(path, { bigint: true }));
}
