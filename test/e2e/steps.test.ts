import { afterEach, describe, expect, it } from "vitest";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import * as contract from "../../src/workflows/migration.contract.js";
import { cleanUp, specWith, TRIVIAL_GUARDRAIL, waitingFor, workbench } from "../support/migrations.js";

const cleanups: (() => Promise<void>)[] = [];
afterEach(() => cleanUp(cleanups));

const FILES = { "src/app.txt": "old\n", "test/app.test.txt": "expects old\n", ".gitignore": "deps/\n" };

describe("a migration's steps", () => {
  it("end as one commit each, on a branch of their own, and leave the user's checkout as it was", async () => {
    const bench = await workbench(cleanups, FILES);
    const { repository } = bench;
    await repository.write({ "src/app.txt": "edited, not committed\n", "notes.txt": "untracked\n" });
    await repository.git("add", "src/app.txt");
    await repository.git("stash", "push", "--quiet", "--include-untracked");
    await repository.write({ "src/app.txt": "edited again\n" });
    const before = await repository.snapshot();

    const handle = await bench.start(
      specWith(`${TRIVIAL_GUARDRAIL}
  migrate:
    steps:
      - { id: second, needs: [first], run: "sed -i s/new/newer/ src/app.txt", verify: ["grep newer src/app.txt"] }
      - { id: first, run: "sed -i s/old/new/ src/app.txt", commit: "refactor: first" }
      - { id: nothing, run: "true" }
`),
    );
    const result = await handle.result();
    expect(result).toMatchObject({ status: "completed", report: "docs/verification-report.md" });

    const log = await repository.git(
      "log",
      "--reverse",
      "--format=%s|%an|%(trailers:key=Towpath-Migration,valueonly,separator=)|%(trailers:key=Towpath-Step,valueonly,separator=)",
      `main..${result.branch}`,
    );
    expect(log.split("\n")).toEqual([
      `refactor: first|Ada|${result.migrationId}|first`,
      `second|Ada|${result.migrationId}|second`,
    ]);
    expect(await repository.git("show", `${result.branch}:src/app.txt`)).toBe("newer");
    expect(await repository.snapshot()).toBe(before);
    expect((await repository.git("worktree", "list")).split("\n")).toHaveLength(1);

    const manifest = await bench.store.readManifest(result.migrationId);
    const tags = await repository.git("tag", "--list", `towpath/${result.migrationId}/*`);
    expect(tags.split("\n").sort()).toEqual([...manifest.checkpoints].sort());
    expect(manifest).toMatchObject({ status: "completed", progress_pct: 100, head: result.head });
    const report = await readFile(
      join(bench.store.paths(result.migrationId).directory, "docs/verification-report.md"),
      "utf8",
    );
    expect(report).toContain("1 of 1 characterised behaviours pass");
  });

  it("are undone when they fail, tracked and untracked, retried with feedback, then wait and go on by retry", async () => {
    const bench = await workbench(cleanups, FILES);
    const handle = await bench.start(
      specWith(`${TRIVIAL_GUARDRAIL}
  migrate:
    steps:
      - id: repair
        agent:
          command: |
            cat > "$TOWPATH_OUT/prompt.txt"
            test ! -e untracked.txt
            grep -q old src/app.txt
            mkdir -p deps && echo kept > deps/cache
            echo changed > src/app.txt; echo x > untracked.txt
            if [ "$TOWPATH_ATTEMPT" -lt 3 ]; then echo "the cause is number $TOWPATH_ATTEMPT"; exit 3; fi
          prompt: "Repair it. \${{ attempt.feedback }}"
        retry: { max-attempts: 2, backoff: 1ms }
`),
    );
    const view = await waitingFor(handle, "step-failed");
    expect(view.waiting?.message).toContain("exited with code 3");
    const worktree = join(bench.dataDir, "workspaces", handle.workflowId);
    expect(await readFile(join(worktree, "src/app.txt"), "utf8")).toBe("old\n");
    expect(await readFile(join(worktree, "deps/cache"), "utf8")).toBe("kept\n");
    await expect(readFile(join(worktree, "untracked.txt"))).rejects.toThrow("ENOENT");

    await handle.executeUpdate(contract.retry, { args: [{ by: "ada" }] });
    await expect(handle.result()).resolves.toMatchObject({ status: "completed" });
    const { out } = bench.store.paths(handle.workflowId);
    const prompt = (attempt: number) =>
      readFile(join(out, "repair", `attempt-${attempt}`, "prompt.txt"), "utf8");
    expect(await prompt(1)).toBe("Repair it. ");
    expect(await prompt(2)).toContain("the cause is number 1");
    expect(await prompt(3)).toContain("the cause is number 2");
  });
});
