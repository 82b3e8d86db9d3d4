import { randomBytes } from "node:crypto";
import { chmod, mkdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { MockActivityEnvironment } from "@temporalio/testing";
import { execa } from "execa";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { AttemptResult } from "../../src/activities/contract.js";
import { createActivities } from "../../src/activities/index.js";
import { MigrationStore } from "../../src/adapters/store/migration-store.js";
import { keepGitProcesses } from "../../src/adapters/git/kept-process.js";
import { checkpointTag, createMigrationId } from "../../src/model/ids.js";
import { cleanUp } from "../support/migrations.js";
import { createRepository, temporaryDirectory, type TestRepository } from "../support/repository.js";

const SPEC = `version: 1
name: test
target: next
phases:
  understand: { steps: [{ id: survey, uses: survey }] }
  guardrail: { features: [{ id: stands, description: it stands, test: "true" }] }
  migrate:
    steps:
      - { id: one, run: "echo 1 > a.txt", verify: ["true"] }
      - { id: two, run: "echo 2 > a.txt", verify: ["true"] }
      - { id: three, run: "echo 3 > a.txt", verify: ["echo left > left.txt; chmod 400 b.txt; git checkout -q --detach"] }
      - { id: four, run: "test ! -e left.txt && echo 4 > a.txt && echo 4 > b.txt" }
      - { id: failing, run: "echo 5 > a.txt; exit 1" }
      - { id: passed-over, if: "false", run: "echo 6 > a.txt" }
      - { id: looking, run: "touch -d 2000-01-02 a.txt; chmod 400 b.txt" }
      - { id: idle, run: "true" }
      - { id: honest, scope: { protect: [a.txt] }, run: "echo 8 > b.txt; cat a.txt > again; cat again > a.txt; rm again" }
      - { id: greedy, scope: { protect: [a.txt] }, run: "echo 9 > b.txt; echo 9 > a.txt" }
`;

const cleanups: (() => Promise<void>)[] = [];
const path = process.env["PATH"] ?? "";
let repository: TestRepository;
let store: MigrationStore;
let id: string;
let worktree: string;
let attempt: (step: string, number?: number) => Promise<AttemptResult>;
/** Asks for steps together, as the given execution of one asking; ends with `environment.cancel`. */
let attemptAll: (
  steps: readonly string[],
  execution?: number,
  environment?: MockActivityEnvironment,
) => Promise<AttemptResult>;

beforeEach(async () => {
  const directory = await temporaryDirectory(cleanups);
  repository = await createRepository(join(directory, "project"), { "a.txt": "0\n", "b.txt": "0\n" });
  const dataDir = join(directory, "data");
  store = new MigrationStore({ dataDir });
  const activities = createActivities({ dataDir, store, environment: process.env, now: () => new Date() });
  const environment = new MockActivityEnvironment({ attempt: 1 });
  const run = <O>(activity: () => Promise<O>): Promise<O> => environment.run(activity);
  id = createMigrationId({ now: new Date(), codebase: "test", random: randomBytes(3) });
  worktree = join(dataDir, "workspaces", id);
  await run(() =>
    activities.createMigration({
      migrationId: id,
      operation: "create",
      name: "test",
      target: "next",
      hostId: "host",
      source: repository.path,
      spec: { fileName: "towpath.yaml", text: SPEC },
      params: {},
      allowHost: true,
      author: { name: "Ada", email: "ada@example.org" },
    }),
  );
  await run(() => activities.layWorkspace({ migrationId: id, operation: "lay" }));
  attempt = (step, number = 1) => {
    const operation = `attempt-${step}-${number}`;
    return run(() => activities.attemptStep({ migrationId: id, step, attempt: number, turn: 1, operation }));
  };
  attemptAll = (steps, times = 1, at = new MockActivityEnvironment({ attempt: times })) => {
    const [first, ...following] = steps.map((step) => ({ step, attempt: 1, operation: `together-${step}` }));
    if (first === undefined) throw new Error("no step was named");
    const input = { ...first, migrationId: id, turn: 1, following };
    const activity = (): Promise<AttemptResult> => activities.attemptStep(input);
    return at.run(activity);
  };
});
afterEach(async () => {
  process.env["PATH"] = path;
  vi.restoreAllMocks();
  await cleanUp(cleanups);
});

/** Notes the arguments of every git process of this one in a file. */
async function gitProcesses(directory: string): Promise<() => Promise<string[]>> {
  const { stdout: git } = await execa("bash", ["-c", "command -v git"]);
  const [bin, log] = [join(directory, "bin"), join(directory, "git.log")];
  await mkdir(bin);
  await writeFile(join(bin, "git"), `#!/bin/sh\necho "$*" >> '${log}'\nexec '${git}' "$@"\n`);
  await chmod(join(bin, "git"), 0o755);
  process.env["PATH"] = `${bin}:${path}`;
  return async () => {
    const text = await readFile(log, "utf8").catch(() => "");
    await rm(log, { force: true });
    return text.split("\n").filter((line) => line !== "");
  };
}

const contentOf = (ref: string, file: string) => repository.git("show", `${ref}:${file}`);

describe("a step that follows another at once", () => {
  it("relies on what the other left, and takes five git processes", async () => {
    await attempt("one");
    const taken = await gitProcesses(await temporaryDirectory(cleanups));
    expect(await attempt("two")).toMatchObject({ outcome: "committed" });
    expect(await taken()).toHaveLength(5);
    expect(await contentOf(`towpath/${id}`, "a.txt")).toBe("2");
  });

  it("looks at the files, if that was a while ago", async () => {
    await attempt("one");
    const taken = await gitProcesses(await temporaryDirectory(cleanups));
    const later = performance.now() + 5_001;
    vi.spyOn(performance, "now").mockImplementation(() => later);
    expect(await attempt("two")).toMatchObject({ outcome: "committed" });
    expect(await taken()).toHaveLength(5);
  });

  it("finds what a person has done in the meantime", async () => {
    await attempt("one");
    await writeFile(join(worktree, "stray.txt"), "a person's work");
    const later = performance.now() + 5_001;
    vi.spyOn(performance, "now").mockImplementation(() => later);
    expect(await attempt("two")).toMatchObject({ outcome: "committed" });
    const { undone = [] } = await store.readManifest(id);
    expect(await contentOf(undone[0] ?? "", "stray.txt")).toBe("a person's work");
  });

  it("finds nothing of what the last command of the other left", async () => {
    await attempt("two");
    expect(await attempt("three")).toMatchObject({ outcome: "committed" });
    expect(await attempt("four")).toMatchObject({ outcome: "committed" });
    expect(await repository.git("ls-tree", "--name-only", `towpath/${id}`)).toBe("a.txt\nb.txt");
    expect(await contentOf(`towpath/${id}`, "b.txt")).toBe("4");
  });

  it("finds nothing of what the other did in vain", async () => {
    await attempt("one");
    expect(await attempt("failing")).toMatchObject({ outcome: "failed" });
    expect(await attempt("two")).toMatchObject({ outcome: "committed" });
    expect(await repository.git("diff", "--stat", `towpath/${id}~1`, `towpath/${id}`)).toContain(
      "1 file changed",
    );
  });
});

describe("the scope of a step that follows another at once", () => {
  it("bears a protected file that was written anew with what it held", async () => {
    await attempt("one");
    expect(await attempt("honest")).toMatchObject({ outcome: "committed" });
    expect(await contentOf(`towpath/${id}`, "b.txt")).toBe("8");
    expect(await repository.git("diff", "--name-only", `towpath/${id}~1`, `towpath/${id}`)).toBe("b.txt");
  });

  it("bears no protected file that was changed", async () => {
    await attempt("one");
    const failure = { kind: "scope", files: ["a.txt"] };
    expect(await attempt("greedy")).toMatchObject({ outcome: "failed", failure });
    expect(await contentOf(`towpath/${id}`, "b.txt")).toBe("0");
  });
});

describe("git processes of a step", () => {
  it("are fewer where those are kept that move refs and write commits", async () => {
    const end = keepGitProcesses();
    cleanups.push(async () => end());
    await attempt("one");
    const taken = await gitProcesses(await temporaryDirectory(cleanups));
    expect(await attempt("two")).toMatchObject({ outcome: "committed" });
    const processes = await taken();
    expect(processes).toHaveLength(2);
    expect(processes.join("\n")).not.toMatch(/update-ref|commit-tree|hash-object/);
    expect(await contentOf(`towpath/${id}`, "a.txt")).toBe("2");
    expect(await repository.git("rev-parse", checkpointTag(id, "two"))).toBe(
      await repository.git("rev-parse", `towpath/${id}~1`),
    );
  });

  it("are none where it does nothing and nothing is verified", async () => {
    const end = keepGitProcesses();
    cleanups.push(async () => end());
    await attempt("one");
    await attempt("looking");
    const taken = await gitProcesses(await temporaryDirectory(cleanups));
    expect(await attempt("idle")).toMatchObject({ outcome: "unchanged" });
    expect(await taken()).toEqual([]);
  });

  it("are enough to find a file that was made read-only where nothing is verified", async () => {
    await attempt("one");
    expect(await attempt("looking")).toMatchObject({ outcome: "unchanged" });
    expect((await stat(join(worktree, "b.txt"))).mode & 0o600).toBe(0o600);
  });
});

/** No machine is too slow for steps to be taken together. */
function standStill(): void {
  vi.spyOn(performance, "now").mockReturnValue(performance.now());
}

describe("steps that are asked for together", () => {
  it("are each committed, checkpointed and answered for", async () => {
    standStill();
    const { following, ...first } = await attemptAll(["one", "passed-over", "two", "four"]);
    expect(first).toMatchObject({ outcome: "committed", completed: 4 });
    expect(following).toMatchObject([
      { outcome: "not-needed" },
      { outcome: "committed", commit: await repository.git("rev-parse", `towpath/${id}~1`) },
      { outcome: "committed", commit: await repository.git("rev-parse", `towpath/${id}`) },
    ]);
    expect(await repository.git("rev-parse", checkpointTag(id, "four"))).toBe(
      await repository.git("rev-parse", `towpath/${id}~1`),
    );
  });

  it("end with one that fails", async () => {
    standStill();
    const { following } = await attemptAll(["one", "failing", "two"]);
    expect(following).toMatchObject([{ outcome: "failed" }]);
    expect((await store.readManifest(id)).steps?.["two"]).toMatchObject({ status: "pending" });
  });

  it("end with one that lasts", async () => {
    const now = performance.now.bind(performance);
    let ahead = 0;
    vi.spyOn(performance, "now").mockImplementation(() => now() + (ahead += 200));
    const { following = [] } = await attemptAll(["one", "two", "three", "four"]);
    expect(following.length).toBeLessThan(3);
  });

  it("are answered the same when they are delivered again", async () => {
    standStill();
    const steps = ["one", "passed-over", "two"];
    const { durationMs: _, ...first } = await attemptAll(steps);
    const head = await repository.git("rev-parse", `towpath/${id}`);
    expect(await attemptAll(steps, 2)).toMatchObject(first);
    expect(await repository.git("rev-parse", `towpath/${id}`)).toBe(head);
    expect(await repository.git("rev-list", "--count", `main..towpath/${id}`)).toBe("2");
  });

  it("go on, when one was interrupted, with that one", async () => {
    standStill();
    const steps = ["one", "passed-over", "two", "four"];
    const update = store.updateManifest.bind(store);
    vi.spyOn(store, "updateManifest").mockImplementation((migration, operation, change) => {
      if (/^together-two.*complete$/.test(operation)) throw new Error("died");
      return update(migration, operation, change);
    });
    await attemptAll(steps);
    vi.restoreAllMocks();
    standStill();
    expect((await store.readManifest(id)).lease).toMatchObject({ step: "two" });
    const { following, ...first } = await attemptAll(steps, 2);
    expect(first).toMatchObject({ outcome: "committed", completed: 4 });
    expect(following).toMatchObject([
      { outcome: "not-needed" },
      { outcome: "committed" },
      { outcome: "committed" },
    ]);
    expect(await repository.git("log", "--format=%s", "--reverse", `main..towpath/${id}`)).toMatch(
      /one[^]*two[^]*four/,
    );
    expect(await repository.git("rev-list", "--count", `main..towpath/${id}`)).toBe("3");
  });

  it("leave one that cannot be attempted to an asking of its own", async () => {
    standStill();
    await repository.git("update-ref", `refs/tags/${checkpointTag(id, "two")}`, "main");
    await attempt("one");
    const { following } = await attemptAll(["one", "two"], 2);
    expect(following).toEqual([]);
    await expect(attempt("two")).rejects.toMatchObject({ type: "ForeignEffect" });
  });
});

// Whatever may have let a person, or another worker, into the worktree.
describe.each<[string, () => Promise<void> | void]>([
  ["the migration waited", () => wrote("waited")],
  [
    "another worker wrote the manifest",
    async () => {
      const other = new MigrationStore({ dataDir: store.dataDir });
      await other.updateManifest(id, "other", (manifest) => ({ manifest, result: null }));
    },
  ],
  [
    "time has passed",
    () => {
      const later = performance.now() + 5_001;
      vi.spyOn(performance, "now").mockImplementation(() => later);
    },
  ],
  ["the branch is packed", async () => void (await repository.git("pack-refs", "--all"))],
])("where %s since the step before", (_what, happens) => {
  it("keeps a person's work under a tag, and not in the next step's commit", async () => {
    await attempt("one");
    await writeFile(join(worktree, "theirs.txt"), "precious\n");
    await happens();
    expect(await attempt("two")).toMatchObject({ outcome: "committed" });
    vi.restoreAllMocks();
    expect(await repository.git("ls-tree", "--name-only", `towpath/${id}`)).toBe("a.txt\nb.txt");
    expect(await contentOf(`towpath/${id}/undone/1`, "theirs.txt")).toBe("precious");
    await expect(readFile(join(worktree, "theirs.txt"))).rejects.toThrow("ENOENT");
  });
});

describe("a person's own commit on the branch", () => {
  it("is refused, not overruled, also right behind a step", async () => {
    await attempt("one");
    const theirs = await repository.git(
      "commit-tree",
      "-p",
      `towpath/${id}`,
      "-m",
      "mine",
      `towpath/${id}^{tree}`,
    );
    await repository.git("update-ref", `refs/heads/towpath/${id}`, theirs);
    await expect(attempt("two")).rejects.toMatchObject({ type: "ForeignEffect" });
    expect(await repository.git("rev-parse", `towpath/${id}`)).toBe(theirs);
  });
});

async function wrote(operation: string): Promise<void> {
  await store.updateManifest(id, operation, (manifest) => ({ manifest, result: null }));
}
