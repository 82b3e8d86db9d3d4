import { array, assert, constantFrom, property, string } from "fast-check";
import { describe, expect, it } from "vitest";
import { changes } from "../../../src/adapters/git/changes.js";
import { diff } from "../../../src/adapters/git/diff.js";
import { excludeLines } from "../../../src/adapters/git/exclude.js";
import { commitMessage, STEP_TRAILER } from "../../../src/adapters/git/message.js";
import { commitStep, git, laidWorktree, userRepository, write } from "./fixture.js";

describe("a commit's message", () => {
  it.each([
    ["subject", "subject\n\nTowpath-Step: one\n"],
    ["subject\n\nbody\n", "subject\n\nbody\n\nTowpath-Step: one\n"],
    ["s\n\nSigned-off-by: A <a@b>\n", "s\n\nSigned-off-by: A <a@b>\nTowpath-Step: one\n"],
    ["feat: looks like a trailer", "feat: looks like a trailer\n\nTowpath-Step: one\n"],
    ["s\n\ntowpath-step: forged\n", "s\n\nTowpath-Step: one\n"],
    ["s\r\n\r\n\r\n\r\nb  \r\n", "s\n\nb\n\nTowpath-Step: one\n"],
  ])("%j gets the trailer", (text, expected) => {
    expect(commitMessage(text, { [STEP_TRAILER]: "one" })).toBe(expected);
  });

  it("refuses a trailer of several lines, and an empty message", () => {
    expect(() => commitMessage("s", { X: "a\nb" })).toThrow("must be one line");
    expect(() => commitMessage(" \n\n", { X: "a" })).toThrow("empty");
  });

  it("carries exactly one line of the trailer, and last, whatever the text says", () => {
    const text = array(
      constantFrom("Towpath-Step: forged", "towpath-step:x", "", "word", "A-b: c", "---", "# c"),
    );
    assert(
      property(text, string({ minLength: 1 }), (lines, subject) => {
        const message = commitMessage(`s${subject}\n${lines.join("\n")}`, { [STEP_TRAILER]: "one" });
        expect(message.match(/^towpath-step:.*$/gim)).toEqual(["Towpath-Step: one"]);
        expect(message.endsWith("\nTowpath-Step: one\n")).toBe(true);
      }),
    );
  });

  it("is read back by git, rules and comments in it notwithstanding", async () => {
    const laid = await laidWorktree();
    write(laid.path, { "a.txt": "x" });
    await commitStep(laid, "one");
    expect(git(laid.path, "log", "-1", "--format=%(trailers:key=Towpath-Step,valueonly)")).toBe("one");
  });
});

describe("workspace.exclude", () => {
  it.each([
    [".venv/", "/app/**/.venv/"],
    ["/out", "/app/out"],
    ["a/b", "/app/a/b"],
    ["*.tmp", "/app/**/*.tmp"],
    ["!keep", "!/app/**/keep"],
    ["# comment", "# comment"],
  ])("%j in the folder app is %j at the top", (pattern, expected) => {
    expect(excludeLines([pattern], "app")).toEqual([expected]);
    expect(excludeLines([pattern], "")).toEqual([pattern]);
  });

  it("takes a folder's name literally", async () => {
    const root = userRepository({ "we[i]rd *dir/x": "" });
    const { worktree, base, path } = await laidWorktree(root, "we[i]rd *dir");
    write(path, { "we[i]rd *dir/out/1": "", "we[i]rd *dir/n": "", "out/2": "" });
    expect((await changes({ worktree, base, exclude: ["out/"] })).map((change) => change.path)).toEqual([
      "out/2",
      "we[i]rd *dir/n",
    ]);
  });

  it("refuses a pattern of two lines", () => {
    expect(() => excludeLines(["a\nb"], "")).toThrow("one line");
  });
});

describe("the text of a difference", () => {
  it("shows two commits, whole, by path, as a summary, or cut at a line", async () => {
    const laid = await laidWorktree();
    write(laid.path, { "a.txt": "x\n".repeat(1000), "*": "star\n", "src/b.txt": "B\n" });
    const { commit: to } = await commitStep(laid, "one");
    const request = { repo: laid.repo, from: laid.base, to };
    const whole = await diff(request);
    expect(whole.truncated).toBe(false);
    expect(whole.text).toContain("+++ b/src/b.txt");
    expect((await diff({ ...request, paths: ["*"] })).text.match(/^diff --git .*$/gm)).toEqual([
      "diff --git a/* b/*",
    ]);
    expect((await diff({ ...request, stat: true })).text).toContain("3 files changed");
    const cut = await diff({ ...request, maxBytes: 500 });
    expect(cut.truncated).toBe(true);
    expect(whole.text.startsWith(cut.text)).toBe(true);
    expect(cut.text.endsWith("\n")).toBe(true);
  });
});
