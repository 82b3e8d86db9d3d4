import { chownSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { openRepository, resolveCommit, treeOf, userIdentity } from "../../../src/adapters/git/repository.js";
import { git, temporaryDirectory, userRepository, write } from "./fixture.js";

const refusal = (message: RegExp) =>
  expect.objectContaining({ type: "NotARepository", message: expect.stringMatching(message) });

describe("opening a repository", () => {
  it("finds the top of the checkout and the project's folder in it", async () => {
    const root = userRepository();
    expect(await openRepository(root)).toEqual({
      root,
      gitDir: join(root, ".git"),
      commonDir: join(root, ".git"),
      prefix: "",
    });
    expect((await openRepository(join(root, "src/deep"))).prefix).toBe("src/deep");
  });

  it("follows a link to the checkout", async () => {
    const root = userRepository();
    const link = join(temporaryDirectory(), "link");
    symlinkSync(root, link);
    expect(await openRepository(join(link, "src"))).toMatchObject({ root, prefix: "src" });
  });

  it("takes a linked worktree and a submodule as repositories of their own", async () => {
    const root = userRepository();
    const linked = join(temporaryDirectory(), "linked");
    git(root, "worktree", "add", "--quiet", "-b", "other", linked);
    expect(await openRepository(linked)).toMatchObject({ root: linked, commonDir: join(root, ".git") });
    const parent = userRepository();
    git(parent, "submodule", "--quiet", "add", root, "libs/sub");
    expect(await openRepository(join(parent, "libs/sub/src"))).toMatchObject({
      root: join(parent, "libs/sub"),
      commonDir: join(parent, ".git/modules/libs/sub"),
      prefix: "src",
    });
  });

  it("says what to do where there is no repository", async () => {
    const directory = temporaryDirectory();
    await expect(openRepository(directory)).rejects.toEqual(
      refusal(/not in a git repository: run 'git init'/),
    );
    await expect(openRepository(join(directory, "none"))).rejects.toEqual(refusal(/does not exist/));
  });

  it("refuses a bare repository and the inside of a git directory", async () => {
    const directory = temporaryDirectory();
    git(directory, "init", "--quiet", "--bare");
    await expect(openRepository(directory)).rejects.toEqual(refusal(/bare repository/));
    await expect(openRepository(join(userRepository(), ".git"))).rejects.toEqual(
      refusal(/inside a git directory/),
    );
  });

  it("explains a repository of another owner", async (context) => {
    if (process.getuid?.() !== 0) context.skip("needs root to give files away");
    const root = userRepository();
    chownSync(root, 12345, 12345);
    chownSync(join(root, ".git"), 12345, 12345);
    await expect(openRepository(root)).rejects.toEqual(refusal(/belongs to another user.*chown/));
  });

  it("ignores a git environment that it was started in", async () => {
    const root = userRepository();
    vi.stubEnv("GIT_DIR", join(userRepository(), ".git"));
    onTestFinished(() => {
      vi.unstubAllEnvs();
    });
    expect((await openRepository(root)).commonDir).toBe(join(root, ".git"));
  });
});

describe("naming a commit", () => {
  it("resolves HEAD, branches, annotated tags and short ids", async () => {
    const root = userRepository();
    git(root, "tag", "--annotate", "--message=v", "v1");
    const repo = await openRepository(root);
    const head = git(root, "rev-parse", "HEAD");
    for (const name of ["HEAD", "main", "v1", head.slice(0, 8), head]) {
      expect(await resolveCommit(repo, name)).toBe(head);
    }
    expect(await treeOf(repo, head)).toBe(git(root, "rev-parse", "HEAD^{tree}"));
  });

  it.each(["nothing-like-that", "--all", "-n1", "HEAD:a.txt", ""])("refuses %j", async (name) => {
    const repo = await openRepository(userRepository());
    await expect(resolveCommit(repo, name)).rejects.toMatchObject({ type: "Usage" });
  });

  it("says that a commit is needed first", async () => {
    const root = temporaryDirectory();
    git(root, "init", "--quiet");
    const repo = await openRepository(root);
    await expect(resolveCommit(repo, "HEAD")).rejects.toEqual(
      refusal(/no commit yet.*Commit something first/),
    );
  });
});

describe("the user's identity", () => {
  it("comes from the user's own configuration, and the repository's before it", async () => {
    const root = userRepository();
    const global = join(temporaryDirectory(), "gitconfig");
    writeFileSync(global, "[user]\n\tname = Ada\n\temail = ada@example.org\n");
    vi.stubEnv("GIT_CONFIG_GLOBAL", global);
    onTestFinished(() => {
      vi.unstubAllEnvs();
    });
    expect(await userIdentity(root)).toEqual({ name: "Ada", email: "ada@example.org" });
    git(root, "config", "user.email", "ada@work.example");
    expect(await userIdentity(root)).toEqual({ name: "Ada", email: "ada@work.example" });
  });

  it("is undefined where either half is unset", async () => {
    const root = userRepository();
    expect(await userIdentity(root)).toBeUndefined();
    git(root, "config", "user.name", "Ada");
    expect(await userIdentity(root)).toBeUndefined();
  });
});

it("stops at an aborted signal with its reason", async () => {
  const root = userRepository();
  mkdirSync(join(root, "x"));
  write(root, { "x/y": "" });
  const reason = new Error("cancelled");
  await expect(openRepository(root, AbortSignal.abort(reason))).rejects.toBe(reason);
});
