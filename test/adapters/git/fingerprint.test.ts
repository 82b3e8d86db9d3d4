import { execFileSync } from "node:child_process";
import {
  chmodSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  changedConfiguration,
  configurationFingerprint,
  requireSameConfiguration,
} from "../../../src/adapters/git/fingerprint.js";
import { undo } from "../../../src/adapters/git/undo.js";
import { commitStep, git, laidWorktree, type Laid, userRepository, write } from "./fixture.js";

describe("the configuration's fingerprint", () => {
  it("does not change by what a migration and an honest step do", async () => {
    const laid = await laidWorktree();
    const before = await configurationFingerprint(laid.worktree);
    write(laid.path, { "a.txt": "A", ".gitattributes": "*.txt text\n", ".git-hooks/pre-commit": "" });
    git(laid.path, "commit", "--quiet", "--all", "--message=own");
    git(laid.path, "checkout", "--quiet", "-b", "elsewhere");
    write(laid.root, { ".git/info/exclude": ".agent/\n" });
    const { commit } = await commitStep(laid, "one");
    await undo({ worktree: laid.worktree, commit });
    const after = await configurationFingerprint(laid.worktree);
    expect(after).toEqual(before);
    expect(() => {
      requireSameConfiguration(before, after);
    }).not.toThrow("the step changed");
  });

  it("changes by an edit of the same size whose time was put back, also of a file that was read long ago", async () => {
    const laid = await laidWorktree();
    const config = join(laid.root, ".git/config");
    await expect
      .poll(() => Date.now() - statSync(config).ctimeMs, { timeout: 90_000 })
      .toBeGreaterThan(1_200);
    const before = await configurationFingerprint(laid.worktree);
    expect(await configurationFingerprint(laid.worktree)).toEqual(before);
    const { atime, mtime } = statSync(config);
    const text = readFileSync(config, "utf8");
    writeFileSync(config, text.replace("bare = false", "bare =  true"));
    utimesSync(config, atime, mtime);
    const after = await configurationFingerprint(laid.worktree);
    expect(changedConfiguration(before, after)).toEqual([config]);
  });

  it.each<[string, (laid: Laid) => void, string]>([
    ["configuration", ({ path }) => git(path, "config", "core.fsmonitor", "evil"), ".git/config"],
    ["a new hook", ({ root }) => write(root, { ".git/hooks/post-commit": "" }), ".git/hooks/post-commit"],
    ["a hook's mode", ({ root }) => chmodSync(join(root, ".git/hooks/old"), 0o755), ".git/hooks/old"],
    ["a hook deleted", ({ root }) => rmSync(join(root, ".git/hooks/old")), ".git/hooks/old"],
    [
      "a hook's program behind a link",
      ({ root }) => write(root, { "scripts/hook.sh": "evil" }),
      ".git/hooks/linked",
    ],
    [
      "attributes",
      ({ root }) => write(root, { ".git/info/attributes": "* filter=x" }),
      ".git/info/attributes",
    ],
    [
      "an included file",
      ({ root }) => write(root, { ".git/more.inc": "[include]\n\tpath = most.inc\n[core]\n" }),
      ".git/more.inc",
    ],
    ["a file included by it", ({ root }) => write(root, { ".git/most.inc": "[core]\n" }), ".git/most.inc"],
    [
      "borrowed objects",
      ({ root }) => write(root, { ".git/objects/info/alternates": "/x" }),
      ".git/objects/info/alternates",
    ],
    [
      "a submodule's configuration",
      ({ root }) => write(root, { ".git/modules/libs/sub/config": "[core]\n\tfsmonitor = evil\n" }),
      ".git/modules/libs/sub/config",
    ],
    [
      "a FIFO in a hook's place",
      ({ root }) => {
        rmSync(join(root, ".git/hooks/old"));
        execFileSync("mkfifo", [join(root, ".git/hooks/old")]);
      },
      ".git/hooks/old",
    ],
    [
      "a link to a device in the configuration's place",
      ({ root }) => {
        rmSync(join(root, ".git/most.inc"));
        symlinkSync("/dev/zero", join(root, ".git/most.inc"));
      },
      ".git/most.inc",
    ],
    [
      "a file that is larger than is read, whose time was put back",
      ({ root }) => {
        const path = join(root, ".git/hooks/large");
        const { atime, mtime } = statSync(path);
        writeFileSync(path, Buffer.alloc(2 * 1024 * 1024, "b"));
        utimesSync(path, atime, mtime);
      },
      ".git/hooks/large",
    ],
    [
      "a file of a directory behind a link",
      ({ root }) => write(root, { "parts/one.sh": "evil" }),
      ".git/hooks/post-commit.d/one.sh",
    ],
  ])("changes by %s, and names the file", async (_name, step, file) => {
    const root = userRepository({ "scripts/hook.sh": "" });
    write(root, { ".git/modules/libs/sub/config": "", ".git/modules/libs/sub/objects/x": "" });
    mkdirSync(join(root, ".git/hooks"), { recursive: true });
    writeFileSync(join(root, ".git/hooks/old"), "", { mode: 0o644 });
    symlinkSync("../../scripts/hook.sh", join(root, ".git/hooks/linked"));
    writeFileSync(join(root, ".git/hooks/large"), Buffer.alloc(2 * 1024 * 1024, "a"));
    write(root, { "parts/one.sh": "" });
    symlinkSync("../../parts", join(root, ".git/hooks/post-commit.d"));
    write(root, { ".git/more.inc": "[include]\n\tpath = most.inc\n", ".git/most.inc": "" });
    git(root, "config", "include.path", "more.inc");
    const laid = await laidWorktree(root);
    const before = await configurationFingerprint(laid.worktree);
    step(laid);
    const after = await configurationFingerprint(laid.worktree);
    expect(changedConfiguration(before, after)).toEqual([join(root, file)]);
    expect(() => {
      requireSameConfiguration(before, after);
    }).toThrow(
      expect.objectContaining({ type: "GitConfigurationChanged", message: expect.stringContaining(file) }),
    );
  });

  it.each(["hooks/all", "modules/all"])("has an end where %s links to everything there is", async (link) => {
    const { worktree, root } = await laidWorktree();
    const before = await configurationFingerprint(worktree);
    mkdirSync(dirname(join(root, ".git", link)), { recursive: true });
    symlinkSync("/", join(root, ".git", link));
    const changed = changedConfiguration(before, await configurationFingerprint(worktree));
    expect(changed.length).toBeGreaterThan(0);
    expect(changed.length).toBeLessThan(1_000);
    rmSync(join(root, ".git", link));
    symlinkSync("..", join(root, ".git", link));
    expect(changedConfiguration(before, await configurationFingerprint(worktree))).not.toEqual([]);
  });

  it.each(["commondir", "gitdir", "config.worktree"])("changes by the worktree's %s", async (name) => {
    const { worktree } = await laidWorktree();
    const before = await configurationFingerprint(worktree);
    writeFileSync(join(worktree.gitDir, name), "elsewhere");
    expect(changedConfiguration(before, await configurationFingerprint(worktree))).toEqual([
      join(worktree.gitDir, name),
    ]);
  });

  it("changes when the worktree's link leads elsewhere", async () => {
    const { worktree, path } = await laidWorktree();
    const before = await configurationFingerprint(worktree);
    rmSync(join(path, ".git"));
    git(path, "init", "--quiet");
    expect(changedConfiguration(before, await configurationFingerprint(worktree))).toContain(
      join(path, ".git"),
    );
  });
});
