import { existsSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { buildCommit, findStepCommit } from "../../../src/adapters/git/commit.js";
import { advanceBranch } from "../../../src/adapters/git/settle.js";
import { headDrift, headState } from "../../../src/adapters/git/head.js";
import { undo } from "../../../src/adapters/git/undo.js";
import {
  commitStep,
  git,
  laidWorktree,
  MIGRATION,
  stepView,
  TIME,
  userRepository,
  write,
} from "./fixture.js";

const step = { stepId: "one", message: "refactor: everything", time: TIME };

describe("building a step's commit", () => {
  it("takes everything but does not move the branch", async () => {
    const { worktree, base, path } = await laidWorktree();
    write(path, { "a.txt": "A", "n/new.txt": "n", "x.log": "", ".venv/y": "" });
    rmSync(join(path, "src/b.txt"));
    const built = await buildCommit({ worktree, base, ...step, exclude: [".venv/"] });
    expect(built).toMatchObject({ changed: true, from: base });
    expect(git(path, "diff", "--name-status", base, built.commit).split("\n")).toEqual([
      "M\ta.txt",
      "A\tn/new.txt",
      "D\tsrc/b.txt",
    ]);
    expect(git(path, "rev-parse", `${built.commit}^{tree}`)).toBe(built.tree);
    expect(git(path, "rev-parse", `${built.commit}^`)).toBe(base);
    expect(stepView(path).head).toBe(base);
  });

  it("says whose it is, and is the same commit for the same request", async () => {
    const { worktree, base, path } = await laidWorktree();
    write(path, { "a.txt": "A" });
    const author = { name: "Ada", email: "ada@example.org" };
    const request = { worktree, base, ...step, author, trailers: { "Reviewed-by": "Bob" } };
    const built = await buildCommit(request);
    expect(git(path, "log", "-1", "--format=%an <%ae> %at|%cn <%ce> %ct|%B", built.commit)).toBe(
      `Ada <ada@example.org> ${TIME.getTime() / 1000}|Towpath <towpath@localhost> ${TIME.getTime() / 1000}|` +
        `refactor: everything\n\nReviewed-by: Bob\nTowpath-Migration: ${MIGRATION}\nTowpath-Step: one`,
    );
    expect(await buildCommit(request)).toEqual(built);
  });

  it("makes none where nothing changed", async () => {
    const { worktree, base, path } = await laidWorktree();
    write(path, { "x.log": "" });
    const tree = git(path, "rev-parse", "HEAD^{tree}");
    expect(await buildCommit({ worktree, base, ...step })).toMatchObject({
      commit: base,
      tree,
      changed: false,
      from: base,
    });
  });

  it("folds the step's own commits into one", async () => {
    const laid = await laidWorktree();
    const { worktree, base, path } = laid;
    for (const text of ["1", "2"]) {
      write(path, { "a.txt": text, [`${text}.txt`]: "" });
      git(path, "add", "--all");
      git(path, "commit", "--quiet", `--message=own ${text}`);
    }
    write(path, { "later.txt": "" });
    const own = git(path, "rev-parse", "HEAD");
    const built = await commitStep(laid, "one");
    expect(built.from).toBe(own);
    expect(git(path, "rev-list", `${base}..${worktree.branch}`)).toBe(built.commit);
    expect(git(path, "diff", "--name-only", base, built.commit).split("\n")).toEqual([
      "1.txt",
      "2.txt",
      "a.txt",
      "later.txt",
    ]);
    expect(stepView(path)).toEqual({ status: "", head: built.commit, branch: worktree.branch });
  });

  it("drops commits of the step's own that add up to nothing", async () => {
    const laid = await laidWorktree();
    git(laid.path, "commit", "--quiet", "--allow-empty", "--message=nothing");
    const built = await commitStep(laid, "one");
    expect(built.changed).toBe(false);
    expect(stepView(laid.path)).toEqual({ status: "", head: laid.base, branch: laid.worktree.branch });
  });

  it("holds changes of kind, hostile names and names that are not UTF-8", async () => {
    const laid = await laidWorktree();
    const { path, base } = laid;
    rmSync(join(path, "src"), { recursive: true });
    symlinkSync("a.txt", join(path, "src"));
    rmSync(join(path, "a.txt"));
    write(path, { "a.txt/b": "", "new\nline": "", "-n": "", '"q"\t': "" });
    writeFileSync(Buffer.concat([Buffer.from(`${path}/x`), Buffer.from([0xff])]), "");
    const built = await commitStep(laid, "one");
    const names = git(path, "ls-tree", "-r", "-z", "--name-only", built.commit).split("\0");
    expect(names.filter(Boolean).sort()).toEqual(
      ['"q"\t', "-n", ".gitignore", "a.txt/b", "new\nline", "src", "x\ufffd"].sort(),
    );
    expect(stepView(path).status).toBe("");
    await undo({ worktree: laid.worktree, commit: base });
    expect(readFileSync(join(path, "src/deep/c.txt"), "utf8")).toBe("c\n");
  });

  it("tracks and untracks ignored files as the step asked", async () => {
    const laid = await laidWorktree();
    write(laid.path, { ".gitignore": "*.log\nnode_modules/\na.txt\n", "kept.log": "", "other.log": "" });
    git(laid.path, "rm", "--quiet", "--cached", "a.txt");
    git(laid.path, "add", "--force", "kept.log");
    const built = await commitStep(laid, "one");
    expect(git(laid.path, "diff", "--name-status", laid.base, built.commit).split("\n")).toEqual([
      "M\t.gitignore",
      "D\ta.txt",
      "A\tkept.log",
    ]);
    expect(existsSync(join(laid.path, "a.txt"))).toBe(true);
    expect(stepView(laid.path).status).toBe("");
  });

  it("refuses a repository in the worktree and says what to do", async () => {
    const { worktree, base, path } = await laidWorktree();
    write(path, { "nested/x": "" });
    git(join(path, "nested"), "init", "--quiet");
    await expect(buildCommit({ worktree, base, ...step })).rejects.toMatchObject({
      type: "NestedRepository",
      message: expect.stringMatching(/nested\/\. Let the step remove it .* or name it in workspace\.exclude/),
    });
    expect(await buildCommit({ worktree, base, ...step, exclude: ["nested/"] })).toMatchObject({
      changed: false,
    });
  });

  it("starts anew after an interrupted call staged what is no longer there", async () => {
    const { worktree, base, path } = await laidWorktree();
    write(path, { "a.txt": "A", "n.txt": "" });
    rmSync(join(path, "src/b.txt"));
    await buildCommit({ worktree, base, ...step });
    write(path, { "a.txt": "a\n", "src/b.txt": "b\n", "other.txt": "" });
    rmSync(join(path, "n.txt"));
    const built = await buildCommit({ worktree, base, ...step });
    expect(git(path, "diff", "--name-status", base, built.commit)).toBe("A\tother.txt");
  });

  it("needs a message", async () => {
    const { worktree, base, path } = await laidWorktree();
    write(path, { "a.txt": "A" });
    await expect(buildCommit({ worktree, base, ...step, message: " \n" })).rejects.toMatchObject({
      type: "Usage",
    });
  });

  it("refuses a branch that somebody deleted", async () => {
    const { worktree, base, path } = await laidWorktree();
    git(path, "update-ref", "-d", `refs/heads/${worktree.branch}`);
    await expect(buildCommit({ worktree, base, ...step })).rejects.toMatchObject({ type: "ForeignEffect" });
  });
});

describe("advancing the branch", () => {
  it("is done once, however often it is asked for", async () => {
    const laid = await laidWorktree();
    write(laid.path, { "a.txt": "A" });
    const { from, commit: to } = await commitStep(laid, "one");
    await advanceBranch({ worktree: laid.worktree, from, to });
    expect(stepView(laid.path)).toEqual({ status: "", head: to, branch: laid.worktree.branch });
    expect(git(laid.path, "rev-list", "--count", `${laid.base}..HEAD`)).toBe("1");
  });

  it("finishes a call that died behind the ref", async () => {
    const { worktree, base, path } = await laidWorktree();
    write(path, { "a.txt": "A", "n.txt": "" });
    const built = await buildCommit({ worktree, base, ...step });
    git(path, "update-ref", `refs/heads/${worktree.branch}`, built.commit);
    write(path, { "a.txt": "written by a straggler" });
    await advanceBranch({ worktree, from: base, to: built.commit });
    expect(stepView(path)).toEqual({ status: "", head: built.commit, branch: worktree.branch });
  });

  it("brings a worktree to a commit that was made elsewhere", async () => {
    const { worktree, base, path, root } = await laidWorktree();
    const tree = git(root, "rev-parse", "HEAD:src");
    const to = git(root, "commit-tree", "-p", base, "-m", "elsewhere", tree);
    await advanceBranch({ worktree, from: base, to });
    expect(stepView(path)).toEqual({ status: "", head: to, branch: worktree.branch });
    expect(existsSync(join(path, "deep/c.txt"))).toBe(true);
    expect(existsSync(join(path, "src"))).toBe(false);
  });

  it("comes back from a detached HEAD and from another branch", async () => {
    for (const wander of [["--detach"], ["-b", "elsewhere"]]) {
      const laid = await laidWorktree();
      git(laid.path, "checkout", "--quiet", ...wander);
      write(laid.path, { "a.txt": "A" });
      git(laid.path, "commit", "--quiet", "--all", "--message=own");
      const built = await commitStep(laid, "one");
      expect(stepView(laid.path)).toEqual({ status: "", head: built.commit, branch: laid.worktree.branch });
    }
  });

  it("refuses a branch that somebody else moved, and names it and its commit", async () => {
    const { worktree, base, path } = await laidWorktree();
    write(path, { "a.txt": "A" });
    const built = await buildCommit({ worktree, base, ...step });
    const other = git(path, "commit-tree", "-p", base, "-m", "theirs", `${base}^{tree}`);
    git(path, "update-ref", `refs/heads/${worktree.branch}`, other);
    await expect(advanceBranch({ worktree, from: base, to: built.commit })).rejects.toMatchObject({
      type: "ForeignEffect",
      message: `the branch ${worktree.branch} is at ${other}, not at ${base}: somebody else moved it`,
      details: { ref: worktree.branch, commit: other },
    });
    expect(git(path, "rev-parse", worktree.branch)).toBe(other);
  });
});

describe("finding a step's commit", () => {
  it("finds it among others, and no other", async () => {
    const laid = await laidWorktree();
    const { worktree, base, path } = laid;
    write(path, { "a.txt": "1" });
    const one = await commitStep(laid, "one");
    write(path, { "a.txt": "2" });
    const two = await commitStep(laid, "two", one.commit);
    const find = (stepId: string, from = base) => findStepCommit({ worktree, base: from, stepId });
    expect(await find("one")).toEqual({ commit: one.commit, tree: one.tree });
    expect(await find("two")).toEqual({ commit: two.commit, tree: two.tree });
    expect(await find("tw")).toBeNull();
    expect(await find("one", one.commit)).toBeNull();
    expect(await find("one", two.commit)).toBeNull();
  });

  it("is not fooled by a step that copies the trailers", async () => {
    const { worktree, base, path } = await laidWorktree();
    const message = `own\n\nTowpath-Migration: ${MIGRATION}\nTowpath-Step: one`;
    git(path, "commit", "--quiet", "--allow-empty", `--message=${message}`);
    expect(await findStepCommit({ worktree, base, stepId: "one" })).toBeNull();
  });

  it("does not take another migration's commit", async () => {
    const laid = await laidWorktree();
    write(laid.path, { "a.txt": "1" });
    await commitStep(laid, "one");
    const worktree = { ...laid.worktree, migrationId: "mig_20260101_120000_other-000000" };
    expect(await findStepCommit({ worktree, base: laid.base, stepId: "one" })).toBeNull();
  });
});

describe("the state of HEAD", () => {
  it("tells commit, tree and branch, and how they differ from what is expected", async () => {
    const { worktree, base, path } = await laidWorktree();
    const expected = { branch: worktree.branch, commit: base };
    const drift = async () => headDrift(await headState(worktree), expected);
    expect(await headState(worktree)).toEqual({
      commit: base,
      tree: git(path, "rev-parse", "HEAD^{tree}"),
      branch: worktree.branch,
    });
    expect(await drift()).toBeNull();
    git(path, "commit", "--quiet", "--allow-empty", "--message=own");
    expect(await drift()).toBe(
      `branch ${worktree.branch} is at ${git(path, "rev-parse", "HEAD")}, expected at ${base}`,
    );
    git(path, "checkout", "--quiet", "--detach", base);
    expect(await drift()).toBe(`HEAD is detached at ${base}, expected on branch ${worktree.branch}`);
    git(path, "checkout", "--quiet", "--orphan", "fresh");
    expect(await headState(worktree)).toEqual({ commit: null, tree: null, branch: "fresh" });
    expect(await drift()).toBe(`HEAD is on branch fresh, expected on branch ${worktree.branch}`);
  });
});

it("works in a folder of a monorepo, with excludes of the folder's own", async () => {
  const root = userRepository({ "packages/app/x": "", "packages/lib/x": "" });
  const laid = await laidWorktree(root, "packages/app");
  write(laid.path, { "packages/app/out/1": "", "packages/lib/out/2": "", "packages/app/y": "" });
  const request = { worktree: laid.worktree, base: laid.base, ...step, exclude: ["/out"] };
  const built = await buildCommit(request);
  expect(laid.worktree.prefix).toBe("packages/app");
  expect(git(root, "diff", "--name-only", laid.base, built.commit).split("\n")).toEqual([
    "packages/app/y",
    "packages/lib/out/2",
  ]);
});

it("holds a submodule's new commit, never what is dirty in it", async () => {
  const library = userRepository();
  const root = userRepository();
  git(root, "submodule", "--quiet", "add", library, "sub");
  git(root, "commit", "--quiet", "--message=sub");
  const laid = await laidWorktree(root);
  git(laid.path, "submodule", "--quiet", "update", "--init");
  write(join(laid.path, "sub"), { "a.txt": "x" });
  expect(await buildCommit({ worktree: laid.worktree, base: laid.base, ...step })).toMatchObject({
    changed: false,
  });
  git(join(laid.path, "sub"), "commit", "--quiet", "--all", "--message=in sub");
  const built = await buildCommit({ worktree: laid.worktree, base: laid.base, ...step });
  expect(git(root, "rev-parse", `${built.commit}:sub`)).toBe(
    git(join(laid.path, "sub"), "rev-parse", "HEAD"),
  );
});
