import { execFileSync } from "node:child_process";
import { chmodSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { afterEach, describe, expect, it, vi } from "vitest";
import { messageOf } from "../../../src/model/errors.js";
import { changes } from "../../../src/adapters/git/changes.js";
import { buildCommit, findStepCommit } from "../../../src/adapters/git/commit.js";
import { advanceBranch } from "../../../src/adapters/git/settle.js";
import { createCheckpointTag, deleteTag, listTags } from "../../../src/adapters/git/refs.js";
import { openRepository } from "../../../src/adapters/git/repository.js";
import { undo } from "../../../src/adapters/git/undo.js";
import { layWorktree, removeWorktree } from "../../../src/adapters/git/worktree.js";
import {
  commitStep,
  git,
  laidWorktree,
  type Laid,
  MIGRATION,
  stepView,
  temporaryDirectory,
  TIME,
  userRepository,
  userState,
  write,
} from "./fixture.js";

const REAL_GIT = execFileSync("sh", ["-c", "command -v git"], { encoding: "utf8" }).trim();
const TAG = `towpath/${MIGRATION}/one/pre`;

afterEach(() => {
  vi.unstubAllEnvs();
});

/**
 * Puts a git on PATH that is killed at its n-th call, behind its effect and in front of its answer. Killed in front of
 * its effect, it leaves what the call before it left.
 */
function killGitAt(n: number): { calls: () => number } {
  const directory = temporaryDirectory();
  const log = join(directory, "calls");
  writeFileSync(log, "");
  const script = `#!/bin/sh\necho x >>"${log}"\nif [ $(wc -l <"${log}") -eq ${n} ]; then "${REAL_GIT}" "$@"; kill -9 $$; fi\nexec "${REAL_GIT}" "$@"\n`;
  writeFileSync(join(directory, "git"), script);
  chmodSync(join(directory, "git"), 0o755);
  vi.stubEnv("PATH", `${directory}${delimiter}${process.env["PATH"] ?? ""}`);
  return { calls: () => readFileSync(log, "utf8").length / 2 };
}

interface Operation {
  readonly prepare: () => Promise<Laid>;
  readonly act: (laid: Laid) => Promise<unknown>;
  /** What is so afterwards, compared with what an undisturbed call leads to. */
  readonly outcome: (laid: Laid) => Promise<unknown>;
}

function edit({ path }: Laid): void {
  write(path, { "a.txt": "A", "n/new.txt": "", "x.log": "" });
  rmSync(join(path, "src/b.txt"));
}

async function edited(): Promise<Laid> {
  const laid = await laidWorktree();
  edit(laid);
  return laid;
}

const request = async (root: string, laid: Omit<Laid, "root">) => ({
  repo: await openRepository(root),
  path: laid.path,
  branch: `towpath/${MIGRATION}`,
  base: laid.base,
  migrationId: MIGRATION,
});

const OPERATIONS: Record<string, Operation> = {
  "laying the worktree": {
    prepare: async () => {
      const laid = await laidWorktree();
      await removeWorktree(laid);
      git(laid.root, "branch", "-D", laid.worktree.branch);
      return laid;
    },
    act: async (laid) => layWorktree(await request(laid.root, laid)),
    outcome: async ({ path, base }) => [stepView(path).status, stepView(path).head === base],
  },
  "undoing a step": {
    prepare: async () => {
      const laid = await edited();
      git(laid.path, "add", "--all");
      git(laid.path, "commit", "--quiet", "--message=own");
      return laid;
    },
    act: ({ worktree, base }) => undo({ worktree, commit: base }),
    outcome: async ({ path, base }) => [stepView(path).status, stepView(path).head === base],
  },
  "committing a step": {
    prepare: edited,
    act: async ({ worktree, base }) => {
      const found = await findStepCommit({ worktree, base, stepId: "one" });
      const built = { worktree, base, stepId: "one", message: "m", time: TIME };
      const { from, commit } =
        found === null ? await buildCommit(built) : { from: base, commit: found.commit };
      await advanceBranch({ worktree, from, to: commit });
    },
    outcome: async ({ path, base }) => [
      stepView(path).status,
      git(path, "diff", "--name-status", base, "HEAD"),
      git(path, "rev-list", "--count", `${base}..HEAD`),
    ],
  },
  "making and deleting a tag": {
    prepare: () => laidWorktree(),
    act: async ({ repo, base }) => {
      await createCheckpointTag({ repo, tag: TAG, commit: base });
      await createCheckpointTag({ repo, tag: `${TAG}2`, commit: base });
      await deleteTag({ repo, tag: TAG, expected: base });
    },
    outcome: async ({ repo, base }) =>
      (await listTags(repo, "towpath")).map(({ name, commit }) => [name, commit === base]),
  },
  "removing the worktree": {
    prepare: edited,
    act: (laid) => removeWorktree(laid),
    outcome: async ({ root, path }) => [
      git(root, "worktree", "list").split("\n").length,
      git(root, "branch", "--list", "towpath/*").length > 0,
      path.length > 0,
    ],
  },
};

describe("whichever git process is killed, the same call again completes", () => {
  it.each(Object.entries(OPERATIONS))("%s", async (_name, { prepare, act, outcome }) => {
    const undisturbed = await prepare();
    await act(undisturbed);
    const expected = await outcome(undisturbed);
    const errors: unknown[] = [];
    for (let n = 1; ; n += 1) {
      const laid = await prepare();
      const user = await userState(laid.root);
      const { calls } = killGitAt(n);
      const error: unknown = await act(laid).then(
        () => null,
        (failure: unknown) => failure,
      );
      const made = calls();
      vi.unstubAllEnvs();
      if (error !== null) await act(laid);
      expect(await outcome(laid)).toEqual(expected);
      expect(await userState(laid.root)).toEqual(user);
      if (made < n) break;
      errors.push(error);
    }
    expect(errors.length).toBeGreaterThan(0);
    expect(errors.filter((error) => error !== null && !messageOf(error).includes("SIGKILL"))).toEqual([]);
  });
});

describe("a whole migration", () => {
  it("leaves the user's checkout, index, stash, branches and configuration as they were, to the byte", async () => {
    const root = userRepository();
    write(root, { "a.txt": "stashed" });
    git(root, "stash");
    write(root, { "a.txt": "staged", "untracked.txt": "", "x.log": "" });
    git(root, "add", "a.txt");
    write(root, { "a.txt": "edited" });
    git(root, "branch", "users");
    git(root, "tag", "v1");
    git(root, "config", "user.name", "User");
    const before = await userState(root);

    const laid = await laidWorktree(root);
    const { worktree, repo, base } = laid;
    await createCheckpointTag({ repo, tag: TAG, commit: base });
    edit(laid);
    await changes({ worktree, base });
    await undo({ worktree, commit: base });
    edit(laid);
    const { commit } = await commitStep(laid, "one");
    await undo({ worktree, commit: base, cleanIgnored: true });
    await advanceBranch({ worktree, from: base, to: commit });
    expect(await userState(root)).toEqual(before);
    await deleteTag({ repo, tag: TAG, expected: base });
    await removeWorktree(laid);
    expect(await userState(root)).toEqual(before);
    expect(git(root, "status", "--porcelain")).toBe("MM a.txt\n?? untracked.txt");
    expect(git(root, "stash", "show", "--name-only")).toBe("a.txt");
  });

  it("runs beside another one of the same repository", async () => {
    const root = userRepository();
    const ids = ["mig_20260101_120000_p-aaaaaa", "mig_20260101_120000_p-bbbbbb"];
    const all = await Promise.all(ids.map((id) => laidWorktree(root, ".", id)));
    const commits = await Promise.all(
      all.map(async (laid, at) => {
        write(laid.path, { "a.txt": `${at}` });
        await createCheckpointTag({
          repo: laid.repo,
          tag: `towpath/${laid.worktree.migrationId}/one/pre`,
          commit: laid.base,
        });
        const { commit } = await commitStep(laid, "one");
        write(laid.path, { "a.txt": "failed attempt" });
        await undo({ worktree: laid.worktree, commit });
        return commit;
      }),
    );
    for (const [at, laid] of all.entries()) {
      expect(stepView(laid.path)).toEqual({ status: "", head: commits[at], branch: laid.worktree.branch });
      expect(readFileSync(join(laid.path, "a.txt"), "utf8")).toBe(`${at}`);
      expect(await listTags(laid.repo, `towpath/${laid.worktree.migrationId}`)).toHaveLength(1);
    }
  });
});
