import { chmodSync, mkdirSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { buildCommit } from "../../../src/adapters/git/commit.js";
import { changes, listChanges, rawChanges } from "../../../src/adapters/git/changes.js";
import { undo } from "../../../src/adapters/git/undo.js";
import { git, type Laid, laidWorktree, TIME, userRepository, write } from "./fixture.js";

const SPECIAL = 'new\nline "q" \'ü';

it.each<[string, (path: string) => void, string[]]>([
  ["nothing", () => undefined, []],
  ["a file that was only touched", (path) => utimesSync(join(path, "a.txt"), 1, 1), []],
  ["a file written with the same content", (path) => write(path, { "a.txt": "a\n" }), []],
  ["an edit", (path) => write(path, { "a.txt": "x" }), ["modified a.txt"]],
  ["an edit of the same size at once", (path) => write(path, { "a.txt": "b\n" }), ["modified a.txt"]],
  ["a mode", (path) => chmodSync(join(path, "a.txt"), 0o755), ["modified a.txt"]],
  ["new files, one by one", (path) => write(path, { "n/1": "", "n/2": "" }), ["added n/1", "added n/2"]],
  ["ignored files", (path) => write(path, { "x.log": "", "node_modules/m/i.js": "" }), []],
  ["excluded files", (path) => write(path, { ".venv/x": "", "deep/.venv/x": "" }), []],
  ["a deletion", (path) => rmSync(join(path, "a.txt")), ["deleted a.txt"]],
  [
    "a rename, as a deletion and an addition",
    (path) => git(path, "mv", "a.txt", "z.txt"),
    ["deleted a.txt", "added z.txt"],
  ],
  [
    "a file turned into a link",
    (path) => {
      rmSync(join(path, "a.txt"));
      symlinkSync("src/b.txt", join(path, "a.txt"));
    },
    ["type-changed a.txt"],
  ],
  [
    "a directory turned into a link",
    (path) => {
      rmSync(join(path, "src/deep"), { recursive: true });
      symlinkSync("/", join(path, "src/deep"));
    },
    ["added src/deep", "deleted src/deep/c.txt"],
  ],
  [
    "a directory turned into a file, and back",
    (path) => {
      rmSync(join(path, "src"), { recursive: true });
      write(path, { src: "" });
      rmSync(join(path, "a.txt"));
      write(path, { "a.txt/b": "" });
    },
    ["deleted a.txt", "added a.txt/b", "added src", "deleted src/b.txt", "deleted src/deep/c.txt"],
  ],
  [
    "a step's own commits, with what came after them",
    (path) => {
      write(path, { "a.txt": "x", "n.txt": "", "gone.txt": "" });
      git(path, "add", "--all");
      git(path, "commit", "--quiet", "--message=own");
      git(path, "checkout", "--quiet", "--detach");
      write(path, { "m.txt": "" });
      rmSync(join(path, "gone.txt"));
    },
    ["modified a.txt", "added m.txt", "added n.txt"],
  ],
  [
    "a step's commit and its reversal",
    (path) => {
      write(path, { "a.txt": "x" });
      git(path, "commit", "--quiet", "--all", "--message=own");
      git(path, "revert", "--no-edit", "HEAD");
    },
    [],
  ],
  [
    "an ignored file that a step forced into its commit",
    (path) => {
      write(path, { "kept.log": "", "other.log": "", ".venv/y": "" });
      git(path, "add", "--force", "kept.log", ".venv/y");
      git(path, "commit", "--quiet", "--message=own");
    },
    ["added kept.log"],
  ],
  [
    "a file that a step no longer tracks",
    (path) => {
      write(path, { ".gitignore": "*.log\nnode_modules/\na.txt\n" });
      git(path, "rm", "--quiet", "--cached", "a.txt");
    },
    ["modified .gitignore", "deleted a.txt"],
  ],
  [
    "a file taken out of the index that nothing ignores",
    (path) => git(path, "rm", "--quiet", "--cached", "a.txt"),
    [],
  ],
  [
    "files that the step's index was told to overlook",
    (path) => {
      git(path, "update-index", "--assume-unchanged", "a.txt");
      git(path, "update-index", "--skip-worktree", "src/b.txt");
      write(path, { "a.txt": "x", "src/b.txt": "x" });
    },
    ["modified a.txt", "modified src/b.txt"],
  ],
  [
    "an unfinished merge, with its conflict marks",
    (path) => {
      git(path, "checkout", "--quiet", "-b", "side");
      write(path, { "a.txt": "side" });
      git(path, "commit", "--quiet", "--all", "--message=side");
      git(path, "checkout", "--quiet", "-");
      write(path, { "a.txt": "ours" });
      git(path, "commit", "--quiet", "--all", "--message=ours");
      expect(() => git(path, "merge", "side")).toThrow("Command failed");
    },
    ["modified a.txt"],
  ],
  [
    "repositories that the step made",
    (path) => {
      rmSync(join(path, "a.txt"));
      for (const name of ["a.txt", "nested/deep"]) {
        mkdirSync(join(path, name), { recursive: true });
        git(join(path, name), "init", "--quiet");
      }
    },
    ["deleted a.txt", "added a.txt/", "added nested/deep/"],
  ],
  ["hostile names", (path) => write(path, { [SPECIAL]: "", "-n": "" }), ["added -n", `added ${SPECIAL}`]],
  [
    "a name that is not UTF-8",
    (path) => writeFileSync(Buffer.concat([Buffer.from(`${path}/x`), Buffer.from([0xff])]), ""),
    ["added x\ufffd"],
  ],
  [
    "garbage in the place of the step's index",
    (path) => {
      writeFileSync(git(path, "rev-parse", "--git-path", "index"), "garbage");
      write(path, { "a.txt": "x" });
    },
    ["modified a.txt"],
  ],
])("reports %s", async (_name, step, expected) => {
  const { worktree, base, path } = await laidWorktree();
  const before = await undo({ worktree, commit: base });
  step(path);
  // Where the worktree is known from before, one look has to tell the same.
  const known = await rawChanges({ worktree, base, before, exclude: [".venv/"], isExact: true });
  expect(known.before).toEqual(before);
  const found = await changes({ worktree, base, exclude: [".venv/"] });
  expect(found.map((change) => `${change.kind} ${change.path}`)).toEqual(expected);
  expect(listChanges(known)).toEqual(found);
  // Where it need not be exact there may be files that were only written.
  const quick = await rawChanges({ worktree, base, before, exclude: [".venv/"] });
  const paths = new Set(found.map((change) => change.path));
  const more = listChanges(quick).filter((change) => !paths.has(change.path));
  expect(listChanges(quick)).toEqual(expect.arrayContaining(found));
  expect(more.every(({ kind }) => kind === "modified" && !quick.isExact)).toBe(true);
});

it.each<[string, (laid: Laid) => void, boolean]>([
  ["an edit", ({ path }) => write(path, { "a.txt": "x" }), true],
  ["an edit of what git ignores", ({ path }) => write(path, { ".gitignore": "*.log\n" }), false],
  ["an edit of an ignored file", ({ path }) => write(path, { "old.log": "x" }), false],
  ["a new file", ({ path }) => write(path, { "n.txt": "" }), false],
  ["another mode", ({ path }) => chmodSync(join(path, "a.txt"), 0o755), false],
])("is told of %s by the files' times, where they alone can tell", async (_name, step, isByTimes) => {
  const laid = await laidWorktree();
  write(laid.path, { "old.log": "" });
  const request = { worktree: laid.worktree, base: laid.base };
  const before = await undo({ worktree: laid.worktree, commit: laid.base });
  step(laid);
  expect((await rawChanges({ ...request, before })).isExact).toBe(!isByTimes);
});

it("looks anew where Towpath's own index is no longer as it was left", async () => {
  const { worktree, base, path } = await laidWorktree();
  const before = await undo({ worktree, commit: base });
  write(path, { "a.txt": "x", "n.txt": "" });
  const built = await buildCommit({ worktree, base, before, stepId: "one", message: "m", time: TIME });
  const again = { worktree, base, before };
  expect((await rawChanges(again)).before).toBeNull();
  expect(await changes(again)).toEqual([
    { path: "a.txt", kind: "modified" },
    { path: "n.txt", kind: "added" },
  ]);
  expect((await buildCommit({ ...again, stepId: "one", message: "m", time: TIME })).tree).toBe(built.tree);
});

it("reports the same again after an interrupted commit had staged it", async () => {
  const { worktree, base, path } = await laidWorktree();
  write(path, { "a.txt": "x", "n.txt": "" });
  rmSync(join(path, "src/b.txt"));
  const before = await changes({ worktree, base });
  await buildCommit({ worktree, base, stepId: "one", message: "m", time: TIME });
  expect(await changes({ worktree, base })).toEqual(before);
  write(path, { "src/b.txt": "b\n", "a.txt": "a\n" });
  rmSync(join(path, "n.txt"));
  expect(await changes({ worktree, base })).toEqual([]);
});

it("does not take line endings for a change of the step's", async () => {
  const root = userRepository({ "dos.txt": "one\r\ntwo\r\n" });
  write(root, { ".gitattributes": "*.txt text\n" });
  git(root, "add", ".gitattributes");
  git(root, "commit", "--quiet", "--message=attributes");
  const { worktree, base, path } = await laidWorktree(root);
  utimesSync(join(path, "dos.txt"), 1, 1);
  expect(await changes({ worktree, base })).toEqual([]);
});
