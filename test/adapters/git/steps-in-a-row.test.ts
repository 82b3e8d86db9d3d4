import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, readFileSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import * as fc from "fast-check";
import { expect, it } from "vitest";
import { buildCommit } from "../../../src/adapters/git/commit.js";
import { advanceBranch } from "../../../src/adapters/git/settle.js";
import { undo } from "../../../src/adapters/git/undo.js";
import { git, type Laid, laidWorktree, TIME, write } from "./fixture.js";

/** What a step may do to one path, so that a path is by turns tracked, ignored, absent, a link, a directory. */
const DEEDS: Record<string, (file: string, text: string) => void> = {
  write: (file, text) => put(file, () => writeFileSync(file, text)),
  "write anew": (file) => tolerated(() => writeFileSync(file, readFileSync(file))),
  // A time for each text: another of the same size and time, within a second, is one that git takes for the same.
  "replace, of old": (file, text) =>
    put(file, () => {
      writeFileSync(file, text);
      utimesSync(file, text.charCodeAt(0), text.charCodeAt(0));
    }),
  touch: (file) => tolerated(() => utimesSync(file, 2, 2)),
  remove: (file) => rmSync(file, { recursive: true, force: true }),
  "make executable": (file) => tolerated(() => chmodSync(file, 0o755)),
  "make plain": (file) => tolerated(() => chmodSync(file, 0o644)),
  link: (file) => put(file, () => symlinkSync("a.txt", file)),
  "ignore logs": (file) => writeFileSync(join(dirname(file), ".gitignore"), "*.log\n"),
  "ignore nothing": (file) => tolerated(() => rmSync(join(dirname(file), ".gitignore"))),
};

const PATHS = ["a.txt", "b.log", "src/b.txt", "src/c.log", "src/deep/c.txt", "n.txt"];

function put(file: string, make: () => void): void {
  tolerated(() => {
    mkdirSync(dirname(file), { recursive: true });
    rmSync(file, { recursive: true, force: true });
    make();
  });
}

/** What cannot be done to a path as it is now is not done. */
function tolerated(deed: () => void): void {
  try {
    deed();
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : null;
    if (!["ENOENT", "ENOTDIR", "EEXIST", "EISDIR", "ELOOP"].includes(String(code))) throw error;
  }
}

/** The tree that git itself would commit, with an index of its own. */
function treeOf({ path }: Laid, base: string): string {
  const env = { ...process.env, GIT_INDEX_FILE: join(dirname(path), "plain-index") };
  const plain = (...args: string[]) => execFileSync("git", args, { cwd: path, env, encoding: "utf8" }).trim();
  plain("read-tree", base);
  plain("add", "--all");
  return plain("write-tree");
}

const deed = fc.record({
  what: fc.constantFrom(...Object.keys(DEEDS)),
  path: fc.constantFrom(...PATHS),
  text: fc.constantFrom("a\n", "b\n", "x\n", "longer\n"),
});

/** Takes steps, and expects of each the commit that git itself would make. */
async function expectTreesOf(laid: Laid, steps: readonly (() => void)[]): Promise<void> {
  const { worktree, path } = laid;
  let base = laid.base;
  let before = await undo({ worktree, commit: base });
  for (const step of steps) {
    step();
    const tree = treeOf(laid, base);
    const built = await buildCommit({ worktree, base, before, stepId: "s", message: "m", time: TIME });
    expect(built.tree).toBe(tree);
    const { expected, commit, from } = built;
    before = await advanceBranch({ worktree, from, to: commit, expected });
    // Without noting anything in the index, which would show that somebody used git.
    expect(git(path, "--no-optional-locks", "status", "--porcelain")).toBe("");
    base = commit;
  }
}

it("commits what git would, whatever steps do one behind the other", async () => {
  const steps = fc.array(fc.array(deed, { maxLength: 3 }), { minLength: 1, maxLength: 6 });
  await fc.assert(
    fc.asyncProperty(steps, async (deeds) => {
      const laid = await laidWorktree();
      const toDo = deeds.map((step) => () => {
        for (const { what, path, text } of step) DEEDS[what]?.(join(laid.path, path), text);
      });
      await expectTreesOf(laid, toDo);
    }),
    { numRuns: 60 },
  );
});

it("commits what git would of a file that is ignored since it was removed", async () => {
  const laid = await laidWorktree();
  await expectTreesOf(laid, [
    () => rmSync(join(laid.path, "a.txt")),
    () => write(laid.path, { ".gitignore": "a.txt\n", "a.txt": "made anew" }),
    () => write(laid.path, { "a.txt": "changed", "src/b.txt": "x" }),
  ]);
  expect(git(laid.path, "ls-files", "a.txt")).toBe("");
});

it("commits what git would of files that are ignored no more, by nothing in the worktree", async () => {
  const laid = await laidWorktree();
  write(laid.root, { ".git/info/exclude": "old.txt\n" });
  write(laid.path, { "old.txt": "" });
  await expectTreesOf(laid, [
    () => write(laid.path, { "a.txt": "x" }),
    () => {
      write(laid.root, { ".git/info/exclude": "" });
      write(laid.path, { "a.txt": "y" });
    },
  ]);
  expect(git(laid.path, "ls-files", "old.txt")).toBe("old.txt");
});
