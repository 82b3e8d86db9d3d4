import { createHash } from "node:crypto";
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { lstat, readdir, readFile, readlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, onTestFinished } from "vitest";
import { buildCommit } from "../../../src/adapters/git/commit.js";
import { advanceBranch } from "../../../src/adapters/git/settle.js";
import type { Repository, Worktree } from "../../../src/adapters/git/places.js";
import { openRepository } from "../../../src/adapters/git/repository.js";
import { layWorktree } from "../../../src/adapters/git/worktree.js";

export const MIGRATION = "mig_20260101_120000_demo-abc123";
export const TIME = new Date("2026-01-02T03:04:05Z");

/** Runs git as a user or as a step would: plain, with an identity of its own. */
export function git(cwd: string, ...args: string[]): string {
  const identity = [
    "-c",
    "user.name=User",
    "-c",
    "user.email=user@example.org",
    "-c",
    "protocol.file.allow=always",
  ];
  return execFileSync("git", [...identity, ...args], {
    cwd,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  }).trim();
}

export function write(root: string, files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), text);
  }
}

export function temporaryDirectory(): string {
  const path = realpathSync(mkdtempSync(join(tmpdir(), "towpath-git-")));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

const FILES = {
  ".gitignore": "*.log\nnode_modules/\n",
  "a.txt": "a\n",
  "src/b.txt": "b\n",
  "src/deep/c.txt": "c\n",
};

let template: string | undefined;

/** A user's repository with one commit; ignores `*.log` and `node_modules/`. */
export function userRepository(files: Readonly<Record<string, string>> = {}): string {
  const root = join(temporaryDirectory(), "project");
  if (Object.keys(files).length > 0) return initialised(root, { ...FILES, ...files });
  template ??= initialised(
    join(realpathSync(mkdtempSync(join(tmpdir(), "towpath-git-"))), "template"),
    FILES,
  );
  cpSync(template, root, { recursive: true, preserveTimestamps: true });
  return root;
}

afterAll(() => {
  if (template !== undefined) rmSync(dirname(template), { recursive: true, force: true });
  template = undefined;
});

function initialised(root: string, files: Readonly<Record<string, string>>): string {
  mkdirSync(root);
  git(root, "init", "--quiet", "--template=", "--initial-branch=main");
  write(root, files);
  git(root, "add", "--all");
  git(root, "commit", "--quiet", "--message=base");
  return root;
}

export interface Laid {
  readonly root: string;
  readonly repo: Repository;
  readonly base: string;
  readonly worktree: Worktree;
  /** Where the worktree is. */
  readonly path: string;
}

export async function laidWorktree(
  root = userRepository(),
  folder = ".",
  migrationId = MIGRATION,
): Promise<Laid> {
  const repo = await openRepository(join(root, folder));
  const base = git(root, "rev-parse", "HEAD");
  const { worktree } = await layWorktree({
    repo,
    path: join(dirname(root), "data", "workspaces", migrationId),
    branch: `towpath/${migrationId}`,
    base,
    migrationId,
  });
  return { root, repo, base, worktree, path: worktree.path };
}

/** Commits what is in the worktree as one step and moves the branch. */
export async function commitStep(laid: Laid, stepId: string, base = laid.base) {
  const { worktree } = laid;
  const built = await buildCommit({ worktree, base, stepId, message: `step ${stepId}`, time: TIME });
  await advanceBranch({ worktree, from: built.from, to: built.commit });
  return built;
}

/** Status, HEAD and branch as the step's own git sees them. */
export function stepView(path: string) {
  return {
    status: git(path, "status", "--porcelain", "--untracked-files=all"),
    head: git(path, "rev-parse", "HEAD"),
    branch: git(path, "rev-parse", "--abbrev-ref", "HEAD"),
  };
}

/** sha256 of every file below a directory (links: their target), by relative path. */
export async function digests(
  root: string,
  skip: (path: string) => boolean = () => false,
  prefix = "",
): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const name of (await readdir(join(root, prefix))).sort()) {
    const path = join(prefix, name);
    if (skip(path)) continue;
    const entry = await lstat(join(root, path));
    if (entry.isDirectory()) Object.assign(found, await digests(root, skip, path));
    else {
      const content = entry.isSymbolicLink()
        ? await readlink(join(root, path))
        : await readFile(join(root, path));
      found[path] = `${entry.mode} ${createHash("sha256").update(content).digest("hex")}`;
    }
  }
  return found;
}

/** Everything of a checkout that must never change: its files, and of `.git` all but what Towpath adds. */
export async function userState(root: string): Promise<Record<string, string>> {
  const added = [/^\.git\/objects$/, /^\.git\/worktrees$/, /^\.git\/(logs\/)?refs\/(heads|tags)\/towpath$/];
  return digests(root, (path) => added.some((pattern) => pattern.test(path)));
}
