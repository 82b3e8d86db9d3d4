import { execFile, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmdirSync } from "node:fs";
import { open, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it, onTestFinished } from "vitest";
import { readCurrent } from "../../../src/adapters/requirements/current.js";
import { requirementsPaths, type RequirementsPaths } from "../../../src/adapters/requirements/paths.js";
import { persistDocument, showDocument } from "../../../src/adapters/requirements/persist.js";
import { fileFailure, throughFiles } from "../../support/intercepted-files.js";
import { installation } from "../../support/installation.js";
import { codeOf, draft, emptyProject, leftovers, persist, sha, temporary } from "./fixture.js";

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const run = promisify(execFile);

/** What a reader sees must be one of the pairs that were written, never a mixture. */
async function pairIn(paths: RequirementsPaths, texts: readonly string[]): Promise<string> {
  const { document, pointer } = await readCurrent(paths);
  const text = document?.bytes.toString() ?? "";
  expect(texts).toContain(text);
  expect(document).toMatchObject({ edited: false, provenance: "user" });
  expect(pointer).toMatchObject({ prd_sha: sha(text), signature: codeOf(text).signature });
  return text;
}

describe("a process that is killed while it persists a document", { timeout: 300_000 }, () => {
  it("leaves the old pair or the new one, whichever call of the file system it dies at, and nothing else", async () => {
    const root = join(dirname(dirname(await installation("own"))), "dist");
    const { listing, signature } = codeOf("new\n");
    const write = (project: string, at: number) =>
      run(
        process.execPath,
        [
          "--import",
          here("trap.mjs"),
          here("writer.mjs"),
          root,
          project,
          "new\n",
          signature,
          listing.slice(0, -1),
        ],
        { env: { ...process.env, TRAP_AT: String(at) } },
      );
    const seen = new Set<string>();
    const whole = await emptyProject();
    await persist(whole, "old\n");
    const calls = Number((await write(whole.project, 0)).stdout);
    expect(calls).toBeGreaterThan(40);
    for (let at = 1; at <= calls; at += 1) {
      const paths = await emptyProject();
      await persist(paths, "old\n");
      await writeFile(paths.document, "old\n");
      await expect(write(paths.project, at)).rejects.toMatchObject({ signal: "SIGKILL" });
      // The lock of a dead holder is taken over after ten seconds; that is shown elsewhere.
      await rm(paths.lock, { recursive: true, force: true });
      const text = await pairIn(paths, ["old\n", "new\n"]);
      seen.add(text);
      await showDocument(paths);
      expect(await readFile(paths.document, "utf8")).toBe(text);
      expect(await leftovers(paths), `killed at call ${at}`).toEqual([]);
      await rm(paths.project, { recursive: true });
    }
    expect([...seen].toSorted()).toEqual(["new\n", "old\n"]);
  });
});

describe("two processes that persist different documents", () => {
  it("never mix them in 100 rounds: document and signature always come from the same one", async () => {
    const paths = await emptyProject();
    const children = ["one", "two"].map((name) =>
      spawn(process.execPath, ["--import", "tsx", here("contender.ts"), paths.project, name, "100"], {
        stdio: ["ignore", "pipe", "inherit"],
      }),
    );
    const running = { count: children.length };
    const ends = children.map(async (child) => {
      child.stdout?.resume();
      const [code] = await once(child, "close");
      running.count -= 1;
      return code;
    });
    const seen = new Set<string>();
    while (running.count > 0) {
      const { document, pointer } = await readCurrent(paths);
      if (document === null) continue;
      const text = document.bytes.toString();
      const digest = sha(text);
      expect(pointer).toMatchObject({
        prd_sha: digest,
        signature: sha(`towpath code 1\0f${digest} a.txt\0`),
      });
      expect(document.edited).toBe(false);
      seen.add(text.split(" ")[0] ?? "");
    }
    expect(await Promise.all(ends)).toEqual([0, 0]);
    expect([...seen].toSorted()).toEqual(["one", "two"]);
    const { pointer } = await readCurrent(paths);
    expect(pointer?.history).toHaveLength(199);
    expect(await leftovers(paths)).toEqual([]);
  }, 300_000);
});

/** Lets one call of the file system fail; tells whether it was reached. */
async function withFailureAt(
  k: number,
  code: string,
  action: () => Promise<unknown>,
): Promise<{ readonly reached: boolean; readonly error: unknown }> {
  const { calls, error } = await throughFiles(action, (count) => (count === k ? fileFailure(code) : null));
  return { reached: calls >= k, error };
}

describe("a disk that fails", () => {
  it.each(["ENOSPC", "EIO", "EACCES"])(
    "at any one call with %s leaves a whole pair and says so",
    async (code) => {
      const paths = await emptyProject();
      await persist(paths, "old\n");
      let text = "old\n";
      const errors: unknown[] = [];
      for (let k = 1, reached = true; reached; k += 1) {
        const next = `new ${k}\n`;
        const fault = await withFailureAt(k, code, () => persistDocument(paths, draft(next)));
        reached = fault.reached;
        if (fault.error !== null) errors.push(fault.error);
        text = await pairIn(paths, [text, next]);
        await showDocument(paths);
      }
      expect(errors.length).toBeGreaterThan(15);
      for (const error of errors) {
        expect(error).toMatchObject({ type: "StorageFailed", message: expect.stringContaining(code) });
      }
    },
  );

  it.skipIf(!canMount())("that is really full leaves the old pair and no temporary file", async () => {
    const project = await temporary();
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=256k", "tmpfs", project]);
    onTestFinished(() => void execFileSync("umount", [project]));
    const paths = requirementsPaths(project);
    await persist(paths, "old\n");
    await fillUp(join(project, "filler"));
    for (const bytes of [64 * 1024, 8 * 1024, 1]) {
      const big = "n".repeat(bytes);
      await expect(persistDocument(paths, draft(big))).rejects.toMatchObject({
        type: "StorageFailed",
        message: expect.stringContaining("no space left"),
      });
      await pairIn(paths, ["old\n"]);
      expect(await leftovers(paths)).toEqual([]);
    }
    await rm(join(project, "filler"));
    await persist(paths, "new\n");
    await pairIn(paths, ["new\n"]);
  });

  it("that is full at the very first document leaves no document, and none of its files", async () => {
    for (let k = 1, reached = true; reached; k += 1) {
      const paths = await emptyProject();
      const fault = await withFailureAt(k, "ENOSPC", () => persistDocument(paths, draft("first\n")));
      reached = fault.reached;
      const { document } = await readCurrent(paths);
      const names = await readdir(paths.project, { recursive: true });
      const documents = names.filter((name) => name.endsWith(".md"));
      expect([null, "first\n"]).toContain(document?.bytes.toString() ?? null);
      expect(documents.length > 0, `failed at call ${k}`).toBe(document !== null);
    }
  });
});

function canMount(): boolean {
  if (process.getuid?.() !== 0 || process.platform !== "linux") return false;
  const directory = mkdtempSync("/tmp/towpath-mount-");
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", directory], { stdio: "ignore" });
    execFileSync("umount", [directory]);
    return true;
  } catch {
    return false;
  } finally {
    rmdirSync(directory);
  }
}

async function fillUp(path: string): Promise<void> {
  const file = await open(path, "w");
  try {
    for (;;) await file.write(Buffer.alloc(4096));
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ENOSPC")) throw error;
  } finally {
    await file.close();
  }
}
