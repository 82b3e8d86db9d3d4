import { execFileSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { changes, rawChanges } from "../../../src/adapters/git/changes.js";
import { buildCommit } from "../../../src/adapters/git/commit.js";
import { advanceBranch } from "../../../src/adapters/git/settle.js";
import { undo } from "../../../src/adapters/git/undo.js";
import {
  commitStep,
  digests,
  git,
  laidWorktree,
  type Laid,
  temporaryDirectory,
  TIME,
  userRepository,
  userState,
  write,
} from "./fixture.js";

function mkdirp(path: string): string {
  mkdirSync(path, { recursive: true });
  return path;
}

function replaceByLink(path: string): void {
  rmSync(path, { recursive: true });
  symlinkSync(temporaryDirectory(), path);
}

const withoutGit = (path: string) => digests(path, (name) => name === ".git");

/** Branch, HEAD, index and files, as Towpath's git and the step's see them. */
async function stateOf({ path, worktree }: Laid) {
  const commit = git(path, "rev-parse", "HEAD");
  return {
    branch: git(path, "symbolic-ref", "HEAD"),
    commit,
    index: git(path, "diff-index", "--cached", "--name-status", commit),
    status: git(path, "status", "--porcelain", "--untracked-files=all"),
    isUnfinished: /in progress|merging|bisect/i.test(git(path, "status")),
    changes: await changes({ worktree, base: commit }),
    isLocked: existsSync(join(worktree.gitDir, "index.lock")),
  };
}

function cleanAt({ worktree }: Laid, commit: string) {
  const branch = `refs/heads/${worktree.branch}`;
  return { branch, commit, index: "", status: "", isUnfinished: false, changes: [], isLocked: false };
}

const commitAll = (path: string) => {
  git(path, "add", "--all");
  git(path, "commit", "--quiet", "--message=step's own");
};
const diverge = (path: string) => {
  git(path, "checkout", "--quiet", "-b", "side");
  write(path, { "a.txt": "side" });
  commitAll(path);
  git(path, "checkout", "--quiet", "-");
  write(path, { "a.txt": "ours" });
  commitAll(path);
};
const failing = (path: string, ...args: string[]) =>
  expect(() => git(path, ...args)).toThrow("Command failed");

async function withSubmodule() {
  const library = userRepository();
  const root = userRepository();
  git(root, "submodule", "--quiet", "add", library, "libs/sub");
  git(root, "commit", "--quiet", "--message=sub");
  const laid = await laidWorktree(root);
  git(laid.path, "submodule", "--quiet", "update", "--init");
  return laid;
}

describe("what a step did to files", () => {
  it.each<[string, (path: string) => void]>([
    [
      "edits, deletions and new files",
      (path) => {
        write(path, { "a.txt": "x", "new.txt": "x", "new/deep/y": "x" });
        rmSync(join(path, "src"), { recursive: true });
      },
    ],
    [
      "staged edits",
      (path) => {
        write(path, { "a.txt": "x", n: "n" });
        git(path, "add", "--all");
        write(path, { "a.txt": "y" });
      },
    ],
    ["changed modes", (path) => chmodSync(join(path, "a.txt"), 0o755)],
    [
      "a file in the place of a directory",
      (path) => {
        rmSync(join(path, "src"), { recursive: true });
        writeFileSync(join(path, "src"), "");
      },
    ],
    [
      "a directory in the place of a file",
      (path) => {
        rmSync(join(path, "a.txt"));
        write(path, { "a.txt/inside": "", "a.txt/ignored.log": "" });
      },
    ],
    [
      "read-only files and directories",
      (path) => {
        write(path, { "src/new/x": "", "closed/y": "" });
        chmodSync(join(path, "closed"), 0o500);
        chmodSync(join(path, "src/new"), 0o500);
      },
    ],
    [
      "an edited .gitignore that hides what it made",
      (path) => write(path, { ".gitignore": "*\n", hidden: "" }),
    ],
    [
      "a new .gitignore that hides what it made",
      (path) =>
        write(path, {
          "out/.gitignore": "*.bin\n",
          "out/a.bin": "",
          "out/more/.gitignore": "*.x",
          "out/more/b.x": "",
        }),
    ],
    [
      "hostile names",
      (path) =>
        write(path, {
          "new\nline": "",
          "-rf": "",
          '"quoted" $(x)': "",
          " lead": "",
          ünï: "",
          "tab\t": "",
          "*": "",
        }),
    ],
    [
      "names that are not UTF-8",
      (path) => {
        writeFileSync(Buffer.concat([Buffer.from(`${path}/bad-`), Buffer.from([0xff, 0xfe])]), "");
      },
    ],
    ["the same size in the same second", (path) => write(path, { "a.txt": "b\n" })],
    [
      "files that its index was told to overlook",
      (path) => {
        git(path, "update-index", "--assume-unchanged", "a.txt");
        git(path, "update-index", "--skip-worktree", "src/b.txt");
        write(path, { "a.txt": "x", "src/b.txt": "x" });
      },
    ],
    ["its whole worktree deleted", (path) => rmSync(path, { recursive: true })],
  ])("is undone: %s", async (_name, step) => {
    const laid = await laidWorktree();
    const before = await withoutGit(laid.path);
    step(laid.path);
    await undo({ worktree: laid.worktree, commit: laid.base });
    expect(await stateOf(laid)).toEqual(cleanAt(laid, laid.base));
    expect(await withoutGit(laid.path)).toEqual(before);
  });

  it.each<[string, (path: string) => void]>([
    ["edits and new files", (path) => write(path, { "a.txt": "x", "new/deep/y": "x" })],
    ["a deletion", (path) => rmSync(join(path, "src"), { recursive: true })],
    ["staged edits", (path) => (write(path, { "a.txt": "x" }), void git(path, "add", "--all"))],
    ["a mode", (path) => chmodSync(join(path, "a.txt"), 0o755)],
    ["a tracked directory made a repository", (path) => void git(join(path, "src"), "init", "--quiet")],
    ["a repository of its own", (path) => void git(mkdirp(join(path, "own")), "init", "--quiet")],
    ["a lock", (path) => write(git(path, "rev-parse", "--absolute-git-dir"), { "index.lock": "" })],
    ["a merge begun", (path) => write(git(path, "rev-parse", "--absolute-git-dir"), { MERGE_MSG: "" })],
    ["a detached HEAD", (path) => void git(path, "checkout", "--quiet", "--detach")],
    ["the link to the git directory deleted", (path) => rmSync(join(path, ".git"))],
    ["a directory that nobody may read", (path) => chmodSync(join(path, "src"), 0)],
    ["a link in the place of a directory", (path) => replaceByLink(join(path, "src"))],
  ])("is undone at the end of the step, if it was left by the last command: %s", async (_name, leave) => {
    const laid = await laidWorktree();
    const { worktree, path, base } = laid;
    const before = await undo({ worktree, commit: base });
    write(path, { "src/more/d.txt": "d" });
    const built = await buildCommit({ worktree, base, before, stepId: "s", message: "m", time: TIME });
    const files = await withoutGit(path);
    leave(path);
    await advanceBranch({ worktree, from: base, to: built.commit, expected: built.expected });
    expect(await stateOf(laid)).toEqual(cleanAt(laid, built.commit));
    expect(await withoutGit(path)).toEqual(files);
  });

  it("takes one look at the end of a step where nothing was left, and says what it knows", async () => {
    const { worktree, path, base } = await laidWorktree();
    const before = await undo({ worktree, commit: base });
    write(path, { "src/more/d.txt": "d" });
    const built = await buildCommit({ worktree, base, before, stepId: "s", message: "m", time: TIME });
    const known = await advanceBranch({ worktree, from: base, to: built.commit, expected: built.expected });
    expect(known).toMatchObject({ commit: built.commit, tree: built.tree });
    expect([...(known?.paths.directories ?? [])].sort()).toEqual(["src", "src/deep", "src/more"]);
    expect(known?.paths.files).toContain("src/more/d.txt");
    expect(await rawChanges({ worktree, base: built.commit, before: known })).toMatchObject({
      before: known,
    });
  });

  it("is undone at the end of the step: files that its last command only made read-only", async () => {
    const laid = await laidWorktree();
    const { worktree, path, base } = laid;
    const before = await undo({ worktree, commit: base });
    const built = await buildCommit({ worktree, base, before, stepId: "s", message: "m", time: TIME });
    chmodSync(join(path, "a.txt"), 0o400);
    await advanceBranch({ worktree, from: base, to: built.commit, expected: built.expected });
    expect(lstatSync(join(path, "a.txt")).mode & 0o600).toBe(0o600);
    expect(await stateOf(laid)).toEqual(cleanAt(laid, base));
  });

  it("is undone: files that were only made read-only or unreadable", async () => {
    const laid = await laidWorktree();
    const modes = () =>
      ["a.txt", "src/b.txt"].map((name) => (lstatSync(join(laid.path, name)).mode & 0o600).toString(8));
    chmodSync(join(laid.path, "a.txt"), 0o400);
    chmodSync(join(laid.path, "src/b.txt"), 0);
    await undo({ worktree: laid.worktree, commit: laid.base });
    expect(modes()).toEqual(["600", "600"]);
    expect(await stateOf(laid)).toEqual(cleanAt(laid, laid.base));
  });

  it.each([
    ["a plain one", {}],
    ["a repository", { ".git/HEAD": "", "deep/.git/HEAD": "" }],
  ])("is not undone behind a link to another directory: %s", async (_name, more) => {
    const laid = await laidWorktree();
    const outside = temporaryDirectory();
    write(outside, { "b.txt": "precious", "deep/c.txt": "precious", ...more });
    chmodSync(join(outside, "b.txt"), 0o400);
    const before = await digests(outside);
    rmSync(join(laid.path, "src"), { recursive: true });
    symlinkSync(outside, join(laid.path, "src"));
    await undo({ worktree: laid.worktree, commit: laid.base });
    expect(await stateOf(laid)).toEqual(cleanAt(laid, laid.base));
    expect(await digests(outside)).toEqual(before);
  });

  it("is not undone, committed or reported where a link took the worktree's place", async () => {
    const laid = await laidWorktree();
    const outside = temporaryDirectory();
    write(outside, { "a.txt": "precious", "more.txt": "precious" });
    const before = await digests(outside);
    rmSync(laid.path, { recursive: true });
    symlinkSync(outside, laid.path);
    const request = { worktree: laid.worktree, base: laid.base };
    await expect(changes(request)).rejects.toMatchObject({ type: "ForeignEffect" });
    await expect(commitStep(laid, "one")).rejects.toMatchObject({ type: "ForeignEffect" });
    await undo({ worktree: laid.worktree, commit: laid.base });
    expect(await stateOf(laid)).toEqual(cleanAt(laid, laid.base));
    expect(lstatSync(laid.path).isDirectory()).toBe(true);
    expect(await digests(outside)).toEqual(before);
  });
});

describe("what a step did with git", () => {
  it.each<[string, (path: string) => void]>([
    [
      "commits of its own",
      (path) => {
        write(path, { "a.txt": "x", "new.txt": "" });
        commitAll(path);
        write(path, { "new.txt": "y" });
      },
    ],
    [
      "a detached HEAD",
      (path) => {
        git(path, "checkout", "--quiet", "--detach");
        write(path, { "new.txt": "" });
        commitAll(path);
      },
    ],
    [
      "another branch",
      (path) => {
        git(path, "checkout", "--quiet", "-b", "elsewhere");
        write(path, { "new.txt": "" });
        commitAll(path);
      },
    ],
    ["an unborn branch", (path) => git(path, "checkout", "--quiet", "--orphan", "fresh")],
    [
      "its branch deleted",
      (path) => {
        git(path, "checkout", "--quiet", "--detach");
        git(
          path,
          "branch",
          "--quiet",
          "-D",
          git(path, "branch", "--list", "towpath/*", "--format=%(refname:short)"),
        );
      },
    ],
    [
      "an unfinished merge",
      (path) => {
        diverge(path);
        failing(path, "merge", "side");
      },
    ],
    [
      "an unfinished rebase",
      (path) => {
        diverge(path);
        failing(path, "rebase", "side");
      },
    ],
    [
      "an unfinished cherry-pick",
      (path) => {
        diverge(path);
        failing(path, "cherry-pick", "side");
      },
    ],
    [
      "an unfinished revert and a bisect",
      (path) => {
        diverge(path);
        git(path, "bisect", "start");
        failing(path, "revert", "--no-edit", "side");
      },
    ],
    [
      "a repository of its own",
      (path) => {
        write(path, { "nested/x": "", "nested/ignored.log": "" });
        git(join(path, "nested"), "init", "--quiet");
        commitAll(join(path, "nested"));
      },
    ],
    [
      "a bare repository",
      (path) => {
        git(path, "init", "--quiet", "--bare", "bare.git");
      },
    ],
    [
      "a repository in a tracked directory",
      (path) => {
        git(join(path, "src"), "init", "--quiet");
        git(join(path, "src/deep"), "init", "--quiet");
      },
    ],
    [
      "a repository in the place of a file",
      (path) => {
        rmSync(join(path, "a.txt"));
        mkdirSync(join(path, "a.txt"));
        git(join(path, "a.txt"), "init", "--quiet");
      },
    ],
    [
      "the worktree's own link replaced by a repository",
      (path) => {
        rmSync(join(path, ".git"));
        git(path, "init", "--quiet");
        commitAll(path);
      },
    ],
    [
      "an index that is garbage",
      (path) => {
        writeFileSync(git(path, "rev-parse", "--git-path", "index"), "garbage");
      },
    ],
    [
      "a HEAD that is garbage",
      (path) => writeFileSync(git(path, "rev-parse", "--git-path", "HEAD"), "garbage"),
    ],
    [
      "a HEAD that nobody can read to its end",
      (path) => {
        const head = git(path, "rev-parse", "--git-path", "HEAD");
        rmSync(head);
        execFileSync("mkfifo", [head]);
      },
    ],
  ])("is undone: %s", async (_name, step) => {
    const laid = await laidWorktree();
    const before = await withoutGit(laid.path);
    step(laid.path);
    await undo({ worktree: laid.worktree, commit: laid.base });
    expect(await stateOf(laid)).toEqual(cleanAt(laid, laid.base));
    expect(await withoutGit(laid.path)).toEqual(before);
  });

  it("leaves the branch alone that a step had switched to", async () => {
    const laid = await laidWorktree();
    git(laid.root, "branch", "users");
    const before = await userState(laid.root);
    git(laid.path, "checkout", "--quiet", "users");
    write(laid.path, { "a.txt": "x" });
    await undo({ worktree: laid.worktree, commit: laid.base });
    expect(await stateOf(laid)).toEqual(cleanAt(laid, laid.base));
    expect(await userState(laid.root)).toEqual(before);
  });

  it("does not follow a branch that a step made an alias of the user's", async () => {
    const laid = await laidWorktree();
    write(laid.path, { "a.txt": "one" });
    const { commit } = await commitStep(laid, "one");
    const before = await userState(laid.root);
    git(laid.path, "symbolic-ref", `refs/heads/${laid.worktree.branch}`, "refs/heads/main");
    await undo({ worktree: laid.worktree, commit });
    expect(await stateOf(laid)).toEqual(cleanAt(laid, commit));
    expect(await userState(laid.root)).toEqual(before);
  });

  it("runs none of the programs that a step planted", async () => {
    const laid = await laidWorktree();
    const { path, root, worktree } = laid;
    const canary = join(temporaryDirectory(), "ran");
    const script = join(path, "evil.sh");
    writeFileSync(script, `#!/bin/sh\ntouch ${canary}\n`, { mode: 0o755 });
    mkdirSync(join(root, ".git/hooks"), { recursive: true });
    for (const hook of ["post-checkout", "reference-transaction", "post-index-change"]) {
      writeFileSync(join(root, ".git/hooks", hook), `#!/bin/sh\ntouch ${canary}\n`, { mode: 0o755 });
    }
    git(path, "config", "core.fsmonitor", script);
    git(path, "config", "core.hooksPath", join(root, ".git/hooks"));
    git(path, "config", "diff.external", script);
    mkdirSync(join(path, "nested"));
    git(join(path, "nested"), "init", "--quiet");
    git(join(path, "nested"), "config", "core.fsmonitor", script);
    rmSync(canary, { force: true });
    await changes({ worktree, base: laid.base });
    await undo({ worktree, commit: laid.base });
    expect(existsSync(canary)).toBe(false);
  });
});

describe("what stays", () => {
  it("keeps ignored and excluded files, untouched", async () => {
    const { worktree, base, path } = await laidWorktree();
    write(path, {
      "node_modules/x/i.js": "kept",
      "src/b.log": "kept",
      ".venv/lib/y": "kept",
      "gone/z": "",
      "gone/y.log": "kept",
    });
    await undo({ worktree, commit: base, exclude: [".venv/"] });
    const files = Object.keys(await withoutGit(path));
    expect(files).toEqual(
      expect.arrayContaining(["node_modules/x/i.js", "src/b.log", ".venv/lib/y", "gone/y.log"]),
    );
    expect(files).not.toContain("gone/z");
  });

  it("keeps ignored files where the step no longer ignores them", async () => {
    const { worktree, base, path } = await laidWorktree();
    write(path, { "node_modules/x/i.js": "kept", ".gitignore": "" });
    await undo({ worktree, commit: base });
    expect(existsSync(join(path, "node_modules/x/i.js"))).toBe(true);
  });

  it("removes ignored files on request, never excluded ones", async () => {
    const { worktree, base, path } = await laidWorktree();
    write(path, {
      "node_modules/x/i.js": "",
      "src/b.log": "",
      ".venv/lib/y.log": "kept",
      "deep/.venv/z": "kept",
      "cache/c": "kept",
    });
    await undo({ worktree, commit: base, exclude: [".venv/", "/cache"], cleanIgnored: true });
    const files = Object.keys(await withoutGit(path)).filter((file) =>
      /log|node_modules|venv|cache/.test(file),
    );
    expect(files).toEqual([".venv/lib/y.log", "cache/c", "deep/.venv/z"]);
  });

  it("reads excludes as relative to the project's folder", async () => {
    const root = userRepository({ "app/x": "", "lib/x": "" });
    const { worktree, base, path } = await laidWorktree(root, "app");
    write(path, {
      "app/out/1": "kept",
      "app/deep/.venv/2": "kept",
      "out/3": "",
      "lib/.venv/4": "",
      "app/deep/out/5": "",
    });
    await undo({ worktree, commit: base, exclude: ["/out", ".venv/"] });
    const files = Object.keys(await withoutGit(path)).filter((file) => /out|venv/.test(file));
    expect(files).toEqual(["app/deep/.venv/2", "app/out/1"]);
  });

  it("ignores the excludes file of the user", async () => {
    const root = userRepository();
    writeFileSync(join(root, ".git/ignore-mine"), "mine\n");
    git(root, "config", "core.excludesFile", join(root, ".git/ignore-mine"));
    const { worktree, base, path } = await laidWorktree(root);
    write(path, { mine: "" });
    expect(await changes({ worktree, base })).toEqual([{ path: "mine", kind: "added" }]);
    await undo({ worktree, commit: base });
    expect(existsSync(join(path, "mine"))).toBe(false);
  });

  it("accepts files that were committed with other line endings than they should have", async () => {
    const root = userRepository({ "dos.txt": "one\r\ntwo\r\n" });
    write(root, { ".gitattributes": "*.txt text\n" });
    git(root, "add", ".gitattributes");
    git(root, "commit", "--quiet", "--message=attributes");
    const { worktree, base, path } = await laidWorktree(root);
    write(path, { "dos.txt": "changed", "other.txt": "" });
    await undo({ worktree, commit: base });
    expect(readFileSync(join(path, "dos.txt"), "utf8")).toBe("one\r\ntwo\r\n");
    expect(await changes({ worktree, base })).toEqual([]);
  });
});

describe("submodules", () => {
  it("go back to their commits, with what they ignore", async () => {
    const laid = await withSubmodule();
    const sub = join(laid.path, "libs/sub");
    write(sub, { "a.txt": "changed", "kept.log": "" });
    git(sub, "commit", "--quiet", "--all", "--message=in the submodule");
    write(sub, { "src/b.txt": "dirty", "new.txt": "" });
    expect(await changes(laid)).toEqual([{ path: "libs/sub", kind: "modified" }]);
    await undo({ worktree: laid.worktree, commit: laid.base });
    expect(await stateOf(laid)).toEqual(cleanAt(laid, laid.base));
    expect(git(sub, "status", "--porcelain")).toBe("");
    expect(existsSync(join(sub, "kept.log"))).toBe(true);
  });

  it("are emptied, and nothing run in them, where a step put a repository of its own", async () => {
    const laid = await withSubmodule();
    const sub = join(laid.path, "libs/sub");
    rmSync(sub, { recursive: true });
    mkdirSync(sub);
    git(sub, "init", "--quiet");
    await undo({ worktree: laid.worktree, commit: laid.base });
    expect(await stateOf(laid)).toEqual(cleanAt(laid, laid.base));
    expect(Object.keys(await digests(sub))).toEqual([]);
  });

  it("are not looked for behind a link", async () => {
    const laid = await withSubmodule();
    const outside = temporaryDirectory();
    write(outside, { "sub/precious": "" });
    renameSync(join(laid.path, "libs"), join(temporaryDirectory(), "libs"));
    symlinkSync(outside, join(laid.path, "libs"));
    await undo({ worktree: laid.worktree, commit: laid.base });
    expect(await stateOf(laid)).toEqual(cleanAt(laid, laid.base));
    expect(existsSync(join(outside, "sub/precious"))).toBe(true);
  });
});

describe("undo itself", () => {
  it("goes back over several steps, and forward again", async () => {
    const laid = await laidWorktree();
    write(laid.path, { "a.txt": "one", "one.txt": "" });
    const one = await commitStep(laid, "one");
    write(laid.path, { "a.txt": "two", "two.txt": "" });
    const two = await commitStep(laid, "two", one.commit);
    await undo({ worktree: laid.worktree, commit: laid.base });
    expect(await stateOf(laid)).toEqual(cleanAt(laid, laid.base));
    await undo({ worktree: laid.worktree, commit: two.commit });
    expect(await stateOf(laid)).toEqual(cleanAt(laid, two.commit));
  });

  it("may be done twice, and after locks were left behind", async () => {
    const laid = await laidWorktree();
    const { worktree } = laid;
    write(laid.path, { "a.txt": "x" });
    for (const lock of ["index.lock", "HEAD.lock", "towpath-index.lock"])
      writeFileSync(join(worktree.gitDir, lock), "");
    writeFileSync(join(worktree.commonDir, `refs/heads/${worktree.branch}.lock`), "");
    await undo({ worktree, commit: laid.base });
    expect(await stateOf(laid)).toEqual(cleanAt(laid, laid.base));
    await undo({ worktree, commit: laid.base });
    expect(await stateOf(laid)).toEqual(cleanAt(laid, laid.base));
  });

  it("says what it was doing when it fails, and fails on a commit that is not there", async () => {
    const { worktree } = await laidWorktree();
    await expect(undo({ worktree, commit: "1".repeat(40) })).rejects.toMatchObject({
      type: "GitFailed",
      message: expect.stringMatching(/^Git rollback failed: git update-ref failed/),
    });
  });

  it("stops with the signal's reason, and can be finished", async () => {
    const laid = await laidWorktree();
    write(laid.path, { "a.txt": "x" });
    const reason = new Error("cancelled");
    const work = undo({ worktree: laid.worktree, commit: laid.base, signal: AbortSignal.abort(reason) });
    await expect(work).rejects.toBe(reason);
    await undo({ worktree: laid.worktree, commit: laid.base });
    expect(await stateOf(laid)).toEqual(cleanAt(laid, laid.base));
  });
});
