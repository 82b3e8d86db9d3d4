import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import * as fc from "fast-check";
import { describe, expect, it, onTestFinished } from "vitest";
import { type CommitContent, expectCommit, writeCommit } from "../../../src/adapters/git/commit-object.js";
import { keepGitProcesses } from "../../../src/adapters/git/kept-process.js";
import { TOWPATH_IDENTITY } from "../../../src/adapters/git/run.js";
import { listProcesses } from "../../../src/adapters/process/process-table.js";
import { git, laidWorktree } from "./fixture.js";

function kept(): void {
  onTestFinished(keepGitProcesses());
}

async function contentOf(more: Partial<CommitContent> = {}) {
  const { worktree, base, path } = await laidWorktree();
  const tree = git(path, "rev-parse", `${base}^{tree}`);
  const author = { name: "Ada Lovelace", email: "ada@example.org" };
  const content = { tree, parent: base, author, committer: TOWPATH_IDENTITY, seconds: 1_767_323_045 };
  return {
    worktree,
    path,
    content: { ...content, message: "refactor: all\n\nTowpath-Step: one\n", ...more },
  };
}

/** The processes of this one that write commits. */
function writersNow(): number[] {
  return listProcesses()
    .filter(({ ppid }) => ppid === process.pid)
    .map(({ pid }) => pid)
    .filter((pid) => readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("\0hash-object\0"));
}

/** How git itself writes it, in a repository in which the commit is not yet. */
async function byCommitTree(content: CommitContent): Promise<string> {
  const { worktree } = await contentOf();
  return writeCommit(worktree, content);
}

describe("a commit of a process that is kept", () => {
  it("is the one that git commit-tree makes, and is there", async () => {
    const { worktree, path, content } = await contentOf();
    kept();
    const commits = [];
    const writers = new Set<number>();
    for (const message of ["one\n", "two\n", "two\n"]) {
      commits.push(await writeCommit(worktree, { ...content, message }));
      for (const pid of writersNow()) writers.add(pid);
    }
    expect(writers.size).toBe(1);
    expect(commits[1]).toBe(commits[2]);
    expect(git(path, "log", "--format=%an %ae %at %cn %s", "-1", commits[0] ?? "")).toBe(
      "Ada Lovelace ada@example.org 1767323045 Towpath one",
    );
    execFileSync("git", ["fsck", "--strict"], { cwd: path, stdio: "ignore" });
  });

  it("is of the process that was started when it was expected, which ends where none comes", async () => {
    const { worktree, path, content } = await contentOf();
    kept();
    expectCommit(worktree);
    await expect.poll(writersNow).toHaveLength(1);
    const [expecting] = writersNow();
    expectCommit(worktree);
    const commit = await writeCommit(worktree, content);
    expect(git(path, "cat-file", "-t", commit)).toBe("commit");
    expect(writersNow()).toEqual([expecting]);
    expectCommit(worktree);
    await expect.poll(writersNow, { timeout: 20_000 }).toEqual([]);
  });

  it.each<[string, string]>([
    ["plain", "Ada"],
    ["of two words", "Ada Lovelace"],
    ["of another script", "愛達"],
    ["with dots at its ends", ".Ada."],
    ["with angle brackets", "Ada <countess> L"],
    ["with a line break", "Ada\nL"],
    ["with a quote at its end", `Ada "Countess"`],
    ["with a tab within", "Ada\tL"],
    ["with blanks around it", " Ada "],
    ["with half a character", "Ada \ud800"],
  ])("has the author's name as git writes it: %s", async (_name, name) => {
    const { worktree, content } = await contentOf({ author: { name, email: "a@b.c" } });
    const expected = await byCommitTree(content);
    kept();
    expect(await writeCommit(worktree, content)).toBe(expected);
  });

  it("has whatever message it is given, to the byte", async () => {
    const { worktree, content } = await contentOf();
    const messages = fc
      .string({ unit: "grapheme", minLength: 1 })
      .map((text) => `x${text.replaceAll("\0", "")}\n`);
    await fc.assert(
      fc.asyncProperty(messages, async (message) => {
        const one = { ...content, message };
        const expected = await writeCommit(worktree, one);
        const end = keepGitProcesses();
        try {
          expect(await writeCommit(worktree, one)).toBe(expected);
        } finally {
          end();
        }
      }),
      { numRuns: 20 },
    );
  });

  it("is made by another process where that one was ended, or cannot write it", async () => {
    const { worktree, path, content } = await contentOf();
    kept();
    await writeCommit(worktree, content);
    for (const pid of writersNow()) process.kill(pid, "SIGKILL");
    const commit = await writeCommit(worktree, { ...content, message: "second\n" });
    expect(git(path, "log", "-1", "--format=%s", commit)).toBe("second");
    await expect(writeCommit(worktree, { ...content, tree: "0".repeat(39) })).rejects.toMatchObject({
      type: "GitFailed",
    });
  });
});
