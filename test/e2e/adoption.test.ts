import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { makeHome, type Home } from "../support/cli.js";
import {
  FEATURES,
  HALF_WAY,
  leaveMigration,
  PLAN,
  predecessorManifest,
  type Statuses,
} from "../support/predecessor.js";
import { createRepository, temporaryDirectory, type TestRepository } from "../support/repository.js";

const Progress = z.looseObject({
  status: z.string(),
  phase: z.string(),
  mode: z.string(),
  phases: z.record(z.string(), z.string()),
  waiting: z.looseObject({ kind: z.string() }).nullable(),
});

const cleanups: (() => Promise<void>)[] = [];
let home: Home;
let scratch: string;
let repository: TestRepository;

beforeAll(async () => {
  home = await makeHome("own");
  cleanups.push(() => home.remove());
  scratch = await temporaryDirectory(cleanups);
  repository = await createRepository(join(scratch, "shop"), { "app.txt": "old\n" });
  await repository.git("tag", "loki-migrate/first/pre");
  await repository.write({ "app.txt": "half-way\n" });
  await repository.git("commit", "--quiet", "--all", "--message=first step, by the predecessor");
}, 300_000);
afterAll(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function manifestOf(id: string, statuses: Statuses, more: Record<string, unknown> = {}): string {
  return predecessorManifest(id, repository.path, statuses, more);
}

/** A directory as the predecessor leaves it, below `parent`. */
function leave(parent: string, id: string, files: Record<string, string>): Promise<string> {
  return leaveMigration(parent, id, repository.path, files);
}

async function waits(id: string, kind: string): Promise<z.infer<typeof Progress>> {
  const view = async () => Progress.parse(JSON.parse((await home.run(["status", id, "--json"])).stdout));
  await expect.poll(view, { timeout: 90_000 }).toMatchObject({ waiting: { kind } });
  return view();
}

function specRunning(third: string): string {
  return `version: 1
name: shop
target: next
phases:
  migrate:
    steps:
      - { id: second, run: "echo new > app.txt" }
      - { id: third, needs: [second], run: "${third}" }
  verify:
    steps: [{ id: check, run: "grep new app.txt" }]
`;
}

describe("a predecessor's migration", { timeout: 300_000 }, () => {
  it.each([
    ["without a suffix, in place, its lists bare", "mig_20250101_000001_shop", true, (list: unknown) => list],
    [
      "with a suffix, from elsewhere, its lists wrapped",
      "mig_20250101_000002_shop-0a1b2c",
      false,
      (list: unknown, name: string) => ({ [name]: list, extra: 1 }),
    ],
  ] as const)("%s, goes on where it stands, led by hand", async (_, id, inPlace, shape) => {
    const parent = inPlace ? join(home.dataDir, "migrations") : join(scratch, "elsewhere");
    const directory = await leave(parent, id, {
      "seams.json": JSON.stringify(shape([{ id: "s1" }], "seams")),
      "features.json": JSON.stringify(shape(FEATURES, "features")),
    });
    const original = await readFile(join(directory, "manifest.json"), "utf8");
    const answer = await home.run(["adopt", inPlace ? id : directory]);
    expect(answer).toMatchObject({ code: 0 });
    const view = await waits(id, "advance");
    expect(view).toMatchObject({
      phase: "migrate",
      mode: "hands-on",
      phases: { understand: "completed", guardrail: "completed", migrate: "in_progress", verify: "pending" },
    });
    const adopted = join(home.dataDir, "migrations", id);
    const manifest: unknown = JSON.parse(await readFile(join(adopted, "manifest.json"), "utf8"));
    expect(manifest).toMatchObject({
      team: "kept",
      checkpoints: ["loki-migrate/first/pre"],
      mode: "hands-on",
    });
    const kept = inPlace ? adopted : directory;
    expect(JSON.parse(await readFile(join(kept, "manifest.json"), "utf8"))).toMatchObject(
      inPlace ? { mode: "hands-on" } : JSON.parse(original),
    );

    const refused = await home.run(["advance", id, "migrate"]);
    expect(refused.stderr).toContain("1 steps not completed (second)");
    const worktree = join(home.dataDir, "workspaces", id);
    expect(await readFile(join(worktree, "app.txt"), "utf8")).toBe("half-way\n");
    await writeFile(
      join(adopted, "migration-plan.json"),
      JSON.stringify({ steps: [{ id: "second", status: "completed" }] }),
    );
    expect(await home.run(["advance", id, "migrate"])).toMatchObject({ code: 0 });
    expect(await home.run(["advance", id, "verify"])).toMatchObject({ code: 0 });
    expect(await repository.git("tag", "--list", "loki-migrate/*")).toBe("loki-migrate/first/pre");
    expect((await home.run(["adopt", id])).code).toBe(4);
  });

  it("goes on by a spec: what was done before is not run, and nothing is believed at the gates", async () => {
    const id = "mig_20250101_000003_shop-abcdef";
    await leave(join(scratch, "loki", "migrations"), id, {});
    const spec = join(scratch, "towpath.yaml");
    await writeFile(
      spec,
      `version: 1
name: shop
target: next
phases:
  understand: { steps: [{ id: survey, uses: survey }] }
  migrate:
    steps:
      - { id: first, run: "exit 9" }
      - { id: second, needs: [first], run: "grep half-way app.txt && echo new > app.txt" }
  verify:
    steps: [{ id: check, run: "grep new app.txt" }]
`,
    );
    const env = { LOKI_DATA_DIR: join(scratch, "loki") };
    const needed = await home.run(["adopt", id, "--spec", spec], env);
    expect(needed).toMatchObject({ code: 4 });
    expect(needed.stderr).toContain("--allow-host");
    expect(await home.run(["adopt", id, "--spec", spec, "--allow-host"], env)).toMatchObject({ code: 0 });
    await expect
      .poll(async () => (await home.run(["status", id, "--json"])).stdout, { timeout: 90_000 })
      .toContain('"status": "completed"');
    expect(await repository.git("show", `towpath/${id}:app.txt`)).toBe("new");
    const plan = await home.run(["plan", id, "--local", "--json"]);
    expect(plan.stdout).toContain("the adopted plan says that it is completed");
    const directory = join(home.dataDir, "migrations", id);
    expect(JSON.parse(await readFile(join(directory, "reports/adopted-plan.json"), "utf8"))).toMatchObject(
      PLAN,
    );
    expect(await readFile(join(directory, "docs/verification-report.md"), "utf8")).toContain(
      "1 of 1 characterised behaviours",
    );
  });

  it("goes on with an edited spec, and an invalid edit is refused with every problem", async () => {
    const id = "mig_20250101_000005_shop-0fedcb";
    await leave(join(home.dataDir, "migrations"), id, {});
    const spec = join(scratch, "edited.yaml");
    await writeFile(spec, specRunning("exit 3"));
    expect(await home.run(["adopt", id, "--spec", spec, "--allow-host"])).toMatchObject({ code: 0 });
    await waits(id, "step-failed");

    await writeFile(spec, specRunning("true").replace("needs: [second]", "needs: [nobody], bogus: 1"));
    const invalid = await home.run(["retry", id, "--spec", spec]);
    expect(invalid).toMatchObject({ code: 2 });
    expect(invalid.stderr).toContain("2 problems");
    await writeFile(spec, specRunning("true"));
    expect(await home.run(["retry", id, "--spec", spec])).toMatchObject({ code: 4 });
    const continued = await home.run(["retry", id, "--spec", spec, "--allow-host"]);
    expect(continued).toMatchObject({ code: 0 });
    expect(continued.stdout).toContain("step 'third', with the edited spec");
    expect(continued.stdout).toContain("1 finished step is kept");
    await expect
      .poll(async () => (await home.run(["status", id, "--json"])).stdout, { timeout: 90_000 })
      .toContain('"status": "completed"');
  });

  it("that is damaged is refused with every problem, and stays as it was", async () => {
    const id = "mig_20250101_000004_shop";
    const directory = await leave(join(scratch, "elsewhere"), id, {
      "manifest.json": manifestOf(`${id}x`, HALF_WAY, {
        source_info: { path: join(scratch, "nowhere") },
        checkpoints: ["v1.0"],
      }),
      "seams.json": '{"seams": [{"id": "s", "confidence": 2}]}',
      "features.json": '[{"id": "f1", "description": "x", "passes": "false"}]',
      "migration-plan.json":
        '{"steps": [{"id": "a", "depends_on": ["b"]}, {"id": "b", "depends_on": ["a"]}]}',
      "checkpoints/first.json": "{",
    });
    const answer = await home.run(["adopt", directory, "--json"]);
    expect(answer.code).toBe(4);
    const { error } = z
      .object({
        error: z.looseObject({ type: z.string(), details: z.looseObject({ problems: z.array(z.string()) }) }),
      })
      .parse(JSON.parse(answer.stdout));
    expect(error.type).toBe("AdoptionRefused");
    const files = error.details.problems.map((problem) => problem.split(":")[0]);
    expect(files).toEqual([
      "manifest.json",
      "manifest.json",
      "seams.json",
      "features.json",
      "migration-plan.json",
      "checkpoints/first.json",
      "the codebase",
    ]);
    expect((await home.run(["status", id])).code).toBe(3);
  });
});
