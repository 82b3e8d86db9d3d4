import { execFile } from "node:child_process";
import { chmod, cp, lstat, mkdir, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  clearRunState,
  readRunState,
  runStatePath,
  writeRunState,
} from "../../../src/adapters/run-state/run-state.js";
import type { RunState } from "../../../src/model/containers/run-state.js";
import { cleanUp } from "../../support/migrations.js";
import { createRepository, temporaryDirectory } from "../../support/repository.js";

const cleanups: (() => Promise<void>)[] = [];
let root: string;

beforeEach(async () => {
  root = await temporaryDirectory(cleanups);
});
afterEach(() => cleanUp(cleanups));

function state(folder: string, container = "towpath-0123456789ab-one-1-run"): RunState {
  return {
    container,
    image: "python:3.11-slim",
    project_dir: folder,
    started_at: "2026-01-01T00:00:00.000Z",
  };
}

async function project(name: string): Promise<string> {
  const path = join(root, name);
  await mkdir(path);
  return path;
}

describe("the run state of a project", () => {
  it.each(["plain", `quo"ted`, "new\nline", "back\\slash", "snow ☃ and \u2028", " spaces "])(
    "is valid JSON for the path %j, and read as it was written",
    async (name) => {
      const folder = await project(name);
      await writeRunState(folder, state(folder));
      expect(JSON.parse(await readFile(runStatePath(folder), "utf8"))).toEqual(state(folder));
      expect(await readRunState(folder)).toEqual(state(folder));
    },
  );

  it("is never seen half written, and leaves nothing beside it", async () => {
    const folder = await project("contended");
    const long = "x".repeat(20_000);
    const seen: string[] = [];
    const look = async (): Promise<void> => {
      for (let times = 0; times < 5; times++)
        seen.push(await readFile(runStatePath(folder), "utf8").catch(() => "{}"));
    };
    for (let round = 0; round < 50; round++) {
      const writes = ["a", "b"].map((name) =>
        writeRunState(folder, { ...state(folder, name), image: long + name }),
      );
      await Promise.all([look(), ...writes]);
    }
    expect(seen.filter((text) => text !== "{}").length).toBeGreaterThan(0);
    for (const text of seen) expect(() => JSON.parse(text) as unknown).not.toThrow();
    expect(await readdir(join(folder, ".towpath", "docker"))).toEqual(["run.json"]);
  });

  it("stays out of git's sight, and takes its folders with it unless they hold something else", async () => {
    const repository = await createRepository(join(root, "repository"), { "a.txt": "" });
    const { path } = repository;
    await writeRunState(path, state(path));
    expect(await repository.git("status", "--porcelain")).toBe("");
    await clearRunState(path);
    expect(await readdir(path)).not.toContain(".towpath");

    await mkdir(join(path, ".towpath"));
    await writeFile(join(path, ".towpath", "notes.md"), "mine");
    await writeRunState(path, state(path));
    await clearRunState(path);
    expect(await readFile(join(path, ".towpath", "notes.md"), "utf8")).toBe("mine");
  });

  it("is cleared by whoever wrote it last, and by nobody else's name", async () => {
    const folder = await project("shared");
    await writeRunState(folder, state(folder, "first"));
    await writeRunState(folder, state(folder, "second"));
    await clearRunState(folder, "first");
    expect(await readRunState(folder)).toMatchObject({ container: "second" });
    await clearRunState(folder, "second");
    expect(await readRunState(folder)).toBeNull();
    await clearRunState(folder);
  });

  it("is none where it is no file of its own: a link, a pipe, a directory, too much, or no state", async () => {
    const other = await project("other");
    await writeRunState(other, state(other));
    const mine = await project("mine");
    await symlink(join(other, ".towpath"), join(mine, ".towpath"));
    expect(await readRunState(mine)).toBeNull();
    await writeRunState(mine, state(mine, "through-the-link"));
    await clearRunState(mine);
    expect(await readRunState(other)).toEqual(state(other));

    const kinds: Record<string, (path: string) => Promise<unknown>> = {
      link: (path) => symlink(runStatePath(other), path),
      pipe: (path) => promisify(execFile)("mkfifo", [path]),
      directory: (path) => mkdir(path),
      large: (path) => writeFile(path, JSON.stringify({ ...state(path), image: "x".repeat(70_000) })),
      list: (path) => writeFile(path, "[]"),
      torn: (path) => writeFile(path, '{"container": "a'),
    };
    for (const [name, make] of Object.entries(kinds)) {
      const folder = await project(name);
      await mkdir(join(folder, ".towpath", "docker"), { recursive: true });
      await make(runStatePath(folder));
      expect({ name, state: await readRunState(folder) }).toEqual({ name, state: null });
    }
    expect((await lstat(runStatePath(other))).isFile()).toBe(true);
  });

  it("of a copy still tells of the project that it was copied from", async () => {
    const [from, to] = [await project("from"), await project("to")];
    await writeRunState(from, state(from));
    await cp(join(from, ".towpath"), join(to, ".towpath"), { recursive: true });
    expect(await readRunState(to)).toMatchObject({ project_dir: from });
  });

  it("is done without where the project cannot be written", async () => {
    const folder = await project("taken");
    await writeFile(join(folder, ".towpath"), "a file in its place");
    await chmod(folder, 0o555);
    await writeRunState(folder, state(folder));
    expect(await readRunState(folder)).toBeNull();
    await clearRunState(folder);
    expect(await readFile(join(folder, ".towpath"), "utf8")).toBe("a file in its place");
    await chmod(folder, 0o755);
  });
});
