import { execFileSync } from "node:child_process";
import { rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { isStillThere } from "../../../src/adapters/git/pristine.js";
import { undo } from "../../../src/adapters/git/undo.js";
import { git, laidWorktree, type Laid, write } from "./fixture.js";

const headOf = ({ worktree }: Laid): string => join(worktree.gitDir, "HEAD");
const branchOf = ({ worktree }: Laid): string =>
  join(worktree.commonDir, "refs/heads", ...worktree.branch.split("/"));

function fifo(path: string): void {
  rmSync(path);
  execFileSync("mkfifo", [path]);
}

describe("a worktree that was known", () => {
  it("is still there as long as directory, HEAD and branch are", async () => {
    const laid = await laidWorktree();
    const pristine = await undo({ worktree: laid.worktree, commit: laid.base });
    if (pristine === null) throw new Error("Nothing is known of a worktree that was just restored");
    expect(isStillThere(laid.worktree, pristine)).toBe(true);
    write(laid.path, { "a.txt": "changed" });
    expect(isStillThere(laid.worktree, pristine)).toBe(true);
  });

  it.each<[string, (laid: Laid) => void]>([
    ["without its directory", ({ path }) => rmSync(path, { recursive: true })],
    [
      "with a link in its place",
      ({ path, root }) => {
        rmSync(path, { recursive: true });
        symlinkSync(root, path);
      },
    ],
    ["without HEAD", (laid) => rmSync(headOf(laid))],
    ["on another branch", (laid) => writeFileSync(headOf(laid), "ref: refs/heads/main\n")],
    ["on a commit", (laid) => writeFileSync(headOf(laid), `${laid.base}\n`)],
    ["with a FIFO in HEAD's place, which has no end", (laid) => fifo(headOf(laid))],
    ["with its branch moved", (laid) => git(laid.path, "commit", "--allow-empty", "--message=own")],
    ["with its branch packed", ({ root }) => git(root, "pack-refs", "--all")],
    ["with a FIFO in the branch's place, which has no end", (laid) => fifo(branchOf(laid))],
  ])("is no more: %s", async (_name, change) => {
    const laid = await laidWorktree();
    const pristine = await undo({ worktree: laid.worktree, commit: laid.base });
    if (pristine === null) throw new Error("Nothing is known of a worktree that was just restored");
    change(laid);
    expect(isStillThere(laid.worktree, pristine)).toBe(false);
  });
});
