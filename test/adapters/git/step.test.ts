import { expect, it } from "vitest";
import { changes, findStepCommit, undo } from "../../../src/adapters/git/index.js";
import { commitStep, git, laidWorktree, stepView, write } from "./fixture.js";

it("smoke", async () => {
  const laid = await laidWorktree();
  const { worktree, base, path } = laid;
  write(path, { "a.txt": "A\n", "new/n.txt": "n\n", "x.log": "l" });
  expect(await changes({ worktree, base })).toEqual([
    { path: "a.txt", kind: "modified" },
    { path: "new/n.txt", kind: "added" },
  ]);
  const built = await commitStep(laid, "one");
  expect(stepView(path)).toEqual({ status: "", head: built.commit, branch: worktree.branch });
  expect(await findStepCommit({ worktree, base, stepId: "one" })).toEqual({
    commit: built.commit,
    tree: built.tree,
  });
  write(path, { "a.txt": "AA\n", "new/m.txt": "n\n" });
  await undo({ worktree, commit: built.commit });
  expect(stepView(path)).toEqual({ status: "", head: built.commit, branch: worktree.branch });
  expect(git(path, "log", "-1", "--format=%B")).toContain("Towpath-Step: one");
});
