import { existsSync, mkdirSync, readFileSync, rmSync, unlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { openRepository } from "../../../src/adapters/git/repository.js";
import { findWorktree, layWorktree, removeWorktree } from "../../../src/adapters/git/worktree.js";
import {
  commitStep,
  git,
  laidWorktree,
  MIGRATION,
  stepView,
  userRepository,
  userState,
  write,
} from "./fixture.js";

const BRANCH = `towpath/${MIGRATION}`;

async function request(root: string) {
  return {
    repo: await openRepository(root),
    path: join(dirname(root), "data", "workspaces", MIGRATION),
    branch: BRANCH,
    base: git(root, "rev-parse", "HEAD"),
    migrationId: MIGRATION,
  };
}

describe("laying a worktree", () => {
  it("checks the base commit out on a branch of its own", async () => {
    const { path, base, worktree, root } = await laidWorktree();
    expect(stepView(path)).toEqual({ status: "", head: base, branch: BRANCH });
    expect(readFileSync(join(path, "src/deep/c.txt"), "utf8")).toBe("c\n");
    expect(worktree).toMatchObject({
      branch: BRANCH,
      migrationId: MIGRATION,
      prefix: "",
      commonDir: join(root, ".git"),
    });
  });

  it("starts from a base that is not the user's HEAD", async () => {
    const root = userRepository();
    const first = await request(root);
    write(root, { "later.txt": "" });
    git(root, "add", "--all");
    git(root, "commit", "--quiet", "--message=later");
    const { worktree } = await layWorktree(first);
    expect(existsSync(join(worktree.path, "later.txt"))).toBe(false);
  });

  it("answers the same a second time and leaves the work in it alone", async () => {
    const root = userRepository();
    const asked = await request(root);
    const first = await layWorktree(asked);
    write(first.worktree.path, { "a.txt": "work", "new.txt": "work" });
    expect(first.laid).toBe(true);
    expect(await layWorktree(asked)).toEqual({ worktree: first.worktree, laid: false });
    expect(await findWorktree(asked.repo, asked.path)).toEqual(first.worktree);
    expect(readFileSync(join(asked.path, "a.txt"), "utf8")).toBe("work");
  });

  it("lays a deleted worktree anew where its branch is, and says that it did", async () => {
    const laid = await laidWorktree();
    write(laid.path, { "a.txt": "one" });
    const built = await commitStep(laid, "one");
    rmSync(laid.path, { recursive: true });
    expect(await findWorktree(laid.repo, laid.path)).toBeNull();
    const again = await layWorktree(await request(laid.root));
    expect(again.laid).toBe(true);
    expect(again.worktree.incarnation).not.toBe(laid.worktree.incarnation);
    expect(stepView(laid.path)).toEqual({ status: "", head: built.commit, branch: BRANCH });
  });

  it("prunes its own entry only", async () => {
    const laid = await laidWorktree();
    const users = join(dirname(laid.root), "on-a-disk-that-is-unplugged");
    git(laid.root, "worktree", "add", "--quiet", "-b", "theirs", users);
    rmSync(users, { recursive: true });
    rmSync(laid.path, { recursive: true });
    await layWorktree(await request(laid.root));
    expect(git(laid.root, "worktree", "list", "--porcelain")).toContain(users);
  });

  it("takes its branch up again after the worktree was removed", async () => {
    const laid = await laidWorktree();
    write(laid.path, { "a.txt": "one" });
    const built = await commitStep(laid, "one");
    await removeWorktree(laid);
    await layWorktree(await request(laid.root));
    expect(stepView(laid.path).head).toBe(built.commit);
  });

  it.each(["between git and the marker", "before the index was written", "before HEAD was written"])(
    "does away with what an interrupted call left: %s",
    async (moment) => {
      const root = userRepository();
      const asked = await request(root);
      const { worktree } = await layWorktree(asked);
      unlinkSync(join(worktree.gitDir, "towpath.json"));
      if (moment !== "between git and the marker") unlinkSync(join(worktree.gitDir, "index"));
      if (moment === "before HEAD was written") {
        unlinkSync(join(worktree.gitDir, "HEAD"));
        writeFileSync(join(worktree.gitDir, "locked"), "initializing");
      }
      rmSync(join(worktree.path, "a.txt"));
      expect((await layWorktree(asked)).laid).toBe(true);
      expect(stepView(asked.path)).toEqual({ status: "", head: asked.base, branch: BRANCH });
    },
  );

  it("is not made on a branch with commits of somebody else's", async () => {
    const root = userRepository();
    const asked = await request(root);
    git(root, "branch", BRANCH);
    await layWorktree(asked);
    await removeWorktree(asked);
    const foreign = git(root, "commit-tree", "-p", "HEAD", "-m", "mine", "HEAD^{tree}");
    git(root, "update-ref", `refs/heads/${BRANCH}`, foreign);
    await expect(layWorktree(asked)).rejects.toMatchObject({
      type: "ForeignEffect",
      message: expect.stringContaining(`${BRANCH} already exists at ${foreign}`),
    });
  });

  it("is not made where the user has the branch checked out, nor where a branch is in the way", async () => {
    const root = userRepository();
    const asked = await request(root);
    git(root, "checkout", "--quiet", "-b", BRANCH);
    await expect(layWorktree(asked)).rejects.toMatchObject({
      type: "ForeignEffect",
      message: expect.stringContaining(`checked out at ${root}`),
    });
    const other = userRepository();
    git(other, "branch", "towpath");
    await expect(layWorktree(await request(other))).rejects.toMatchObject({
      type: "ForeignEffect",
      message: expect.stringContaining("the branch towpath leaves no room"),
    });
  });

  it("leaves directories and worktrees of somebody else's alone", async () => {
    const root = userRepository();
    const asked = await request(root);
    write(asked.path, { "precious.txt": "" });
    await expect(layWorktree(asked)).rejects.toMatchObject({ type: "ForeignEffect" });
    await expect(removeWorktree(asked)).rejects.toMatchObject({ type: "ForeignEffect" });
    expect(existsSync(join(asked.path, "precious.txt"))).toBe(true);
    rmSync(asked.path, { recursive: true });
    git(root, "worktree", "add", "--quiet", "-b", "theirs", asked.path);
    await expect(layWorktree(asked)).rejects.toMatchObject({ type: "ForeignEffect" });
    await expect(removeWorktree(asked)).rejects.toMatchObject({ type: "ForeignEffect" });
    expect(existsSync(join(asked.path, "a.txt"))).toBe(true);
  });

  it("says what it could not do where the file system refuses", async () => {
    const root = userRepository();
    const asked = await request(root);
    write(dirname(root), { data: "a file in the place of the directory" });
    await expect(layWorktree(asked)).rejects.toMatchObject({
      type: "GitFailed",
      message: expect.stringMatching(/^Cannot lay the worktree .*(EEXIST|ENOTDIR)/),
    });
  });

  it("is not shared by two migrations", async () => {
    const root = userRepository();
    const asked = await request(root);
    await layWorktree(asked);
    const other = { ...asked, migrationId: "mig_20260101_120000_other-000000" };
    await expect(layWorktree({ ...other, branch: `towpath/${other.migrationId}` })).rejects.toMatchObject({
      type: "ForeignEffect",
      message: expect.stringContaining(`worktree of the migration ${MIGRATION}`),
    });
  });

  it("checks everything out where the user's own checkout is sparse", async () => {
    const root = userRepository();
    git(root, "sparse-checkout", "set", "--cone", "src/deep");
    const { path } = await laidWorktree(root);
    expect(existsSync(join(path, "src/b.txt"))).toBe(true);
    expect(stepView(path).status).toBe("");
  });

  it("works in a submodule, and in a project with submodules", async () => {
    const library = userRepository();
    const parent = userRepository();
    git(parent, "submodule", "--quiet", "add", library, "libs/sub");
    git(parent, "commit", "--quiet", "--message=sub");
    const inside = join(parent, "libs/sub");
    const inSubmodule = await laidWorktree(inside);
    write(inSubmodule.path, { "a.txt": "changed" });
    await commitStep(inSubmodule, "one");
    expect(stepView(inSubmodule.path).status).toBe("");
    expect(git(inside, "status", "--porcelain")).toBe("");
    const around = await laidWorktree(parent);
    expect(stepView(around.path).status).toBe("");
  });
});

describe("removing a worktree", () => {
  it("keeps the branch and may be done twice", async () => {
    const laid = await laidWorktree();
    await removeWorktree(laid);
    await removeWorktree(laid);
    expect(existsSync(laid.path)).toBe(false);
    expect(existsSync(join(laid.root, ".git/worktrees"))).toBe(false);
    expect(git(laid.root, "rev-parse", BRANCH)).toBe(laid.base);
  });

  it("finishes a removal that was interrupted", async () => {
    const laid = await laidWorktree();
    rmSync(join(laid.path, "src"), { recursive: true });
    rmSync(join(laid.path, ".git"));
    mkdirSync(join(laid.path, ".git"));
    await removeWorktree(laid);
    expect(existsSync(laid.path)).toBe(false);
  });

  it("finds nothing to do where nothing was laid", async () => {
    const root = userRepository();
    const before = await userState(root);
    await removeWorktree(await request(root));
    expect(await userState(root)).toEqual(before);
  });
});
