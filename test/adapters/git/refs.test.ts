import { existsSync, mkdirSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { removeStaleLocks } from "../../../src/adapters/git/locks.js";
import { createCheckpointTag, deleteTag, keepUndoneHead, listTags } from "../../../src/adapters/git/refs.js";
import { openRepository } from "../../../src/adapters/git/repository.js";
import { git, laidWorktree, MIGRATION, userRepository } from "./fixture.js";

const TAG = `towpath/${MIGRATION}/one/pre`;

async function place() {
  const root = userRepository();
  const repo = await openRepository(root);
  const commit = git(root, "rev-parse", "HEAD");
  const other = git(root, "commit-tree", "-p", "HEAD", "-m", "other", "HEAD^{tree}");
  return { root, repo, commit, other };
}

describe("a checkpoint's tag", () => {
  it("is made once; the answer that got lost is given again", async () => {
    const { repo, root, commit } = await place();
    expect(await createCheckpointTag({ repo, tag: TAG, commit })).toBe("created");
    expect(await createCheckpointTag({ repo, tag: TAG, commit })).toBe("exists");
    expect(git(root, "rev-parse", `refs/tags/${TAG}`)).toBe(commit);
  });

  it("is not taken from somebody else", async () => {
    const { repo, root, commit, other } = await place();
    git(root, "tag", TAG, other);
    await expect(createCheckpointTag({ repo, tag: TAG, commit })).rejects.toMatchObject({
      type: "ForeignEffect",
      message: expect.stringMatching(
        new RegExp(`^Git tag creation failed: the tag ${TAG} already exists on ${other}`),
      ),
      details: { ref: TAG, commit: other },
    });
    expect(git(root, "rev-parse", TAG)).toBe(other);
  });

  it("may be an annotated one of the predecessor's", async () => {
    const { repo, root, commit } = await place();
    git(root, "tag", "--annotate", "--message=m", "loki-migrate/one/pre");
    expect(await createCheckpointTag({ repo, tag: "loki-migrate/one/pre", commit })).toBe("exists");
    expect(await listTags(repo, "loki-migrate")).toEqual([{ name: "loki-migrate/one/pre", commit }]);
    expect(await deleteTag({ repo, tag: "loki-migrate/one/pre", expected: commit })).toBe("deleted");
  });

  it("says what failed", async () => {
    const { repo, commit } = await place();
    const failure = {
      type: "GitFailed",
      message: expect.stringMatching(/^Git tag creation failed: git update-ref failed/),
    };
    await expect(createCheckpointTag({ repo, tag: "a..b", commit })).rejects.toMatchObject(failure);
    await expect(createCheckpointTag({ repo, tag: TAG, commit: "1".repeat(40) })).rejects.toMatchObject(
      failure,
    );
  });

  it("is deleted only while it is on its commit", async () => {
    const { repo, root, commit, other } = await place();
    await createCheckpointTag({ repo, tag: TAG, commit });
    await expect(deleteTag({ repo, tag: TAG, expected: other })).rejects.toMatchObject({
      type: "ForeignEffect",
    });
    expect(git(root, "rev-parse", TAG)).toBe(commit);
    git(root, "pack-refs", "--all");
    expect(await deleteTag({ repo, tag: TAG, expected: commit })).toBe("deleted");
    expect(await deleteTag({ repo, tag: TAG, expected: commit })).toBe("missing");
  });

  it("is listed with its migration's others and no other's", async () => {
    const { repo, root, commit, other } = await place();
    expect(await listTags(repo, `towpath/${MIGRATION}`)).toEqual([]);
    await createCheckpointTag({ repo, tag: TAG, commit });
    await keepUndoneHead({ repo, tag: `towpath/${MIGRATION}/undone/1`, commit: other });
    git(root, "tag", `towpath/${MIGRATION}0`);
    expect(await listTags(repo, `towpath/${MIGRATION}`)).toEqual([
      { name: TAG, commit },
      { name: `towpath/${MIGRATION}/undone/1`, commit: other },
    ]);
  });

  it("keeps an undone head reachable", async () => {
    const { repo, root, other } = await place();
    await keepUndoneHead({ repo, tag: `towpath/${MIGRATION}/undone/1`, commit: other });
    git(root, "gc", "--quiet", "--prune=now");
    expect(git(root, "cat-file", "-t", other)).toBe("commit");
  });

  it("is made in spite of the lock of a killed process", async () => {
    const { repo, root, commit } = await place();
    const lock = join(root, `.git/refs/tags/${TAG}.lock`);
    mkdirSync(dirname(lock), { recursive: true });
    writeFileSync(lock, "");
    expect(await createCheckpointTag({ repo, tag: TAG, commit })).toBe("created");
  });
});

describe("stale locks", () => {
  it("are removed when older than the moment, in our places only", async () => {
    const { worktree, root } = await laidWorktree();
    const own = [
      ...["index.lock", "HEAD.lock", "towpath-index.lock"].map((name) => join(worktree.gitDir, name)),
      ...[`heads/${worktree.branch}.lock`, `tags/towpath/${MIGRATION}/one/pre.lock`].map((name) =>
        join(root, ".git/refs", name),
      ),
    ];
    const others = [
      "index.lock",
      "config.lock",
      "refs/heads/main.lock",
      "refs/tags/towpath/other/one/pre.lock",
    ].map((name) => join(root, ".git", name));
    for (const lock of [...own, ...others]) {
      mkdirSync(dirname(lock), { recursive: true });
      writeFileSync(lock, "");
      utimesSync(lock, new Date(1000), new Date(1000));
    }
    expect(await removeStaleLocks(worktree, new Date(500))).toEqual([]);
    expect((await removeStaleLocks(worktree, new Date(2000))).sort()).toEqual(own.sort());
    expect(own.filter((lock) => existsSync(lock))).toEqual([]);
    expect(others.every((lock) => existsSync(lock))).toBe(true);
  });
});
