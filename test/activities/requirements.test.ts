import { spawnSync } from "node:child_process";
import { mkdir, readdir, readFile, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { knownDocuments } from "../../src/adapters/requirements/archive.js";
import { codeSignature } from "../../src/adapters/requirements/code-signature.js";
import { requirementsPaths, type RequirementsPaths } from "../../src/adapters/requirements/paths.js";
import { persistDocument } from "../../src/adapters/requirements/persist.js";
import { decideRequirements } from "../../src/model/requirements/decision.js";
import { temporaryName } from "../../src/adapters/store/files.js";
import { codeOf, draft, persist, pointerOf, sha, temporary } from "../adapters/requirements/fixture.js";
import { factsOf, TABLE, titleOf } from "../model/requirements/table.js";
import { createRepository, type TestRepository } from "../support/repository.js";
import {
  inActivity,
  newMigration,
  projectFor,
  type RequirementsBench,
  requirementsBench,
} from "./requirements-bench.js";

const NOTHING_ASKED = { sha: null, fresh: false };

const specWith = (requirements: string): string => `version: 1
name: test
target: next
params: { word: { type: string, default: "it's $HOME; rm -rf" } }
secrets: [API_TOKEN]
requirements: ${requirements}
phases: { migrate: { steps: [{ id: one, run: "true" }] } }
`;

let bench: RequirementsBench;
beforeEach(async () => {
  bench = await requirementsBench();
});

async function decide(migrationId: string, prd: { sha: string | null; fresh: boolean } = NOTHING_ASKED) {
  return inActivity(() => bench.activities.decideRequirements({ migrationId, operation: "decide", prd }));
}

async function generate(migrationId: string, operation = "generate") {
  return inActivity(() => bench.activities.generateRequirements({ migrationId, operation }));
}

describe("the activity that decides", () => {
  it.each(TABLE.map((row) => [titleOf(row), row] as const))("decides as the rules do: %s", async (_, row) => {
    const { paths, prd } = await projectFor(row);
    const migrationId = await newMigration(bench, paths.project);
    const view = await decide(migrationId, prd);
    expect({ action: view.action, rule: view.rule }).toEqual(decideRequirements(factsOf(row)));
    expect(view).toMatchObject(row.expected);
  });

  it("decides once: run again it answers the same, although everything has changed", async () => {
    const paths = requirementsPaths(await temporary());
    await writeFile(join(paths.project, "PRD.md"), "conventional\n");
    const migrationId = await newMigration(bench, paths.project);
    const view = await decide(migrationId);
    await persist(paths, "other\n");
    await writeFile(join(paths.project, "PRD.md"), "changed\n");
    expect(await decide(migrationId)).toEqual(view);
    expect((await bench.store.readRequirements(migrationId))?.toString()).toBe("conventional\n");
  });

  it("takes a conventional document in, says so, and prefers what was persisted ever after", async () => {
    const paths = requirementsPaths(await temporary());
    await writeFile(join(paths.project, "SPEC.md"), "first\n");
    const first = await decide(await newMigration(bench, paths.project));
    expect(first).toMatchObject({
      action: "user_owned",
      rule: "conventional",
      source: "user",
      sha: sha("first\n"),
    });
    expect(first.notices.join()).toContain("SPEC.md is used and persisted");
    await writeFile(join(paths.project, "SPEC.md"), "second\n");
    const second = await decide(await newMigration(bench, paths.project));
    expect(second).toMatchObject({ rule: "user", sha: sha("first\n") });
    expect(second.notices.join()).toContain("SPEC.md in the project is not used");
  });

  it("uses the document that was given, whatever was persisted since", async () => {
    const paths = requirementsPaths(await temporary());
    const given = await persist(paths, "given\n");
    await persist(paths, "somebody else's\n");
    const migrationId = await newMigration(bench, paths.project);
    expect(await decide(migrationId, { sha: given, fresh: false })).toMatchObject({
      source: "user",
      sha: given,
    });
    expect((await bench.store.readRequirements(migrationId))?.toString()).toBe("given\n");
    await expect(
      decide(await newMigration(bench, paths.project), { sha: "0".repeat(64), fresh: false }),
    ).rejects.toMatchObject({ type: "RequirementsNotFound" });
  });

  it("fails when it cannot persist, and never skips that", async () => {
    const paths = requirementsPaths(await temporary());
    await writeFile(join(paths.project, "PRD.md"), "mine\n");
    await writeFile(paths.directory, "in the way\n");
    await expect(decide(await newMigration(bench, paths.project))).rejects.toMatchObject({
      type: "StorageFailed",
    });
  });
});

describe("the built-in survey", () => {
  it("writes the document once, and the same code needs no other", async () => {
    const paths = requirementsPaths(await temporary());
    await writeFile(join(paths.project, "a.py"), "import json\n");
    const first = await newMigration(bench, paths.project);
    expect(await decide(first)).toMatchObject({ action: "generate", sha: null });
    const { requirements } = await generate(first);
    expect(requirements).toMatchObject({ action: "generate", source: "generated" });
    expect(requirements?.why).toContain("generated by the built-in survey");
    const text = await readFile(paths.document, "utf8");
    expect(text).toContain("Python");
    expect((await bench.store.readRequirements(first))?.toString()).toBe(text);
    expect(await decide(await newMigration(bench, paths.project))).toMatchObject({ action: "reuse" });
  });

  it("is answered again without a second document when its worker died after it was persisted", async () => {
    const paths = requirementsPaths(await temporary());
    await writeFile(join(paths.project, "a.py"), "import json\n");
    const migrationId = await newMigration(bench, paths.project);
    await decide(migrationId);
    const code = await codeSignature(paths);
    await persistDocument(
      paths,
      draft("of the dead\n", { source: "generated", code, operation: `${migrationId}/generate` }),
    );
    expect((await generate(migrationId)).requirements).toMatchObject({ sha: sha("of the dead\n") });
    expect(await generate(migrationId)).toEqual(await generate(migrationId));
    expect(await knownDocuments(paths)).toHaveLength(1);
  });

  it.each([
    [
      "lock",
      async (paths: RequirementsPaths) => {
        await mkdir(paths.lock);
        await utimes(paths.lock, 0, 0);
      },
    ],
    [
      "temporary file",
      (paths: RequirementsPaths) => writeFile(join(paths.state, nameOfTheDead(temporaryName())), ""),
    ],
  ])("leaves no %s of a worker that died after it had persisted the document", async (_, die) => {
    const paths = requirementsPaths(await temporary());
    await writeFile(join(paths.project, "a.py"), "import json\n");
    const migrationId = await newMigration(bench, paths.project);
    await decide(migrationId);
    const code = await codeSignature(paths);
    await persistDocument(
      paths,
      draft("of the dead\n", { source: "generated", code, operation: `${migrationId}/generate` }),
    );
    await die(paths);
    expect((await generate(migrationId)).requirements).toMatchObject({ sha: sha("of the dead\n") });
    const names = await readdir(paths.state);
    expect(names.filter((name) => /^\.(tmp|prd-lock)/.test(name))).toEqual([]);
  });
});

/** As if made by a process that lives no more. */
function nameOfTheDead(name: string): string {
  const { pid } = spawnSync("true");
  return name.replace(`-${process.pid}-`, `-${pid}-`);
}

describe("a configured generator", () => {
  let repository: TestRepository;
  let paths: RequirementsPaths;
  beforeEach(async () => {
    repository = await createRepository(join(await temporary(), "project"), { "a.txt": "a\n" });
    paths = requirementsPaths(repository.path);
  });

  /** A migration of the repository, decided, its generator not yet run. */
  async function decided(requirements: string, prd = NOTHING_ASKED): Promise<string> {
    bench = await requirementsBench({ ...process.env, API_TOKEN: "a-very-secret-token" });
    const migrationId = await newMigration(bench, repository.path, specWith(requirements));
    await inActivity(() => bench.activities.layWorkspace({ migrationId, operation: "lay" }));
    await decide(migrationId, prd);
    return migrationId;
  }

  it("writes the document to stdout, byte for byte, and nothing of what it does to the worktree stays", async () => {
    const before = await repository.snapshot();
    const id = await decided(
      `{ generate: 'echo noise >&2; rm a.txt; echo x > new.txt; printf "\\\\377 \\\\360\\\\237\\\\232\\\\242\\\\r\\\\nend"' }`,
    );
    const { ok, requirements } = await generate(id);
    expect(ok).toBe(true);
    const bytes = Buffer.concat([Buffer.from([0xff]), Buffer.from(" 🚢\r\nend")]);
    expect((await readFile(paths.document)).equals(bytes)).toBe(true);
    expect(requirements).toMatchObject({ source: "generated", sha: sha(bytes) });
    expect(await repository.snapshot()).toBe(before);
    const { worktree } = await bench.store.readManifest(id);
    expect((await readdir(worktree ?? "")).toSorted()).toEqual([".git", "a.txt"]);
  });

  it("finds the prompt on stdin and in a file, parameters as data, and is told what changed", async () => {
    const asked = await decided(
      `{ generate: 'cat; echo \${{ params.word }}', prompt: "for \${{ migration.target }}" }`,
    );
    await generate(asked);
    expect(await readFile(paths.document, "utf8")).toBe("for nextit's $HOME; rm -rf\n");
    await repository.write({ "b.txt": "b\n" });
    const same = await decided(`{ generate: 'cmp "$TOWPATH_PROMPT" - >&2 && echo same' }`);
    expect(await generate(same)).toMatchObject({ ok: true });
    await repository.write({ "a.txt": "changed\n" });
    const updating = await decided(`{ generate: 'cat "$TOWPATH_PROMPT" "$TOWPATH_PRD"' }`);
    const { requirements } = await generate(updating);
    expect(requirements?.why).toMatch(
      /^update because 1 file changed: a\.txt; updated by the configured command$/,
    );
    expect(await readFile(paths.document, "utf8")).toContain("These files changed: a.txt");
  });

  it("may write the document to a path, where it finds the old one", async () => {
    await persist(paths, "old\n", { source: "generated", code: codeOf("other") });
    const id = await decided(`{ generate: 'echo new >> "$TOWPATH_OUT/docs/prd.md"', document: docs/prd.md }`);
    expect((await generate(id)).requirements).toMatchObject({ action: "update", sha: sha("old\nnew\n") });
  });

  it.each([
    [
      "fails",
      `{ generate: "echo half; echo why >&2; exit 3" }`,
      /exited with code 3: .*requirements\/attempt-1\.generate\.log/,
    ],
    ["writes nothing", `{ generate: "true" }`, /wrote no requirements document/],
    ["writes only blanks", `{ generate: "echo" }`, /wrote no requirements document/],
    [
      "writes nothing to its path",
      `{ generate: 'rm "$TOWPATH_OUT/prd.md"', document: prd.md }`,
      /wrote no requirements document/,
    ],
    ["writes too much", `{ generate: "head -c 5000000 /dev/zero | tr '\\\\0' x" }`, /at most 4194304/],
    ["hangs", `{ generate: "sleep 60", timeout: 1s }`, /timed out|1 ?s/],
    ["is silent for too long", `{ generate: "sleep 60", idle-timeout: 1s }`, /1 ?s|silent|output/],
  ])("that %s changes neither label nor text", async (_, requirements, message) => {
    await persist(paths, "old\n", { source: "generated", code: codeOf("other") });
    const pointer = await readFile(paths.pointer, "utf8");
    const id = await decided(requirements);
    const answer = await generate(id);
    expect(answer).toMatchObject({ ok: false, requirements: null });
    expect(answer.message).toMatch(message);
    expect(await readFile(paths.pointer, "utf8")).toBe(pointer);
    expect(await readFile(paths.document, "utf8")).toBe("old\n");
  });

  it("that writes the same bytes leaves the label, and is not asked again for the same code", async () => {
    await persist(paths, "same\n", { source: "generated", code: codeOf("other") });
    const before = await pointerOf(paths);
    const id = await decided(`{ generate: "echo same" }`);
    const { requirements } = await generate(id);
    expect(requirements).toMatchObject({ action: "update", source: "generated", sha: sha("same\n") });
    expect(requirements?.why).toContain("its label stays");
    const after = await pointerOf(paths);
    expect(after).toMatchObject({
      source: "generated",
      generated_at: before.generated_at,
      prd_sha: before.prd_sha,
    });
    expect(after.signature).not.toBe(before.signature);
    expect(await decide(await newMigration(bench, repository.path))).toMatchObject({ action: "reuse" });
  });

  it("that writes a user's very bytes does not make them generated", async () => {
    await persist(paths, "mine\n");
    const pointer = await readFile(paths.pointer, "utf8");
    const id = await decided(`{ generate: "echo mine" }`, { sha: null, fresh: true });
    expect((await generate(id)).requirements).toMatchObject({ action: "generate", source: "user" });
    expect(await readFile(paths.pointer, "utf8")).toBe(pointer);
  });

  it("asked for by --fresh-prd archives a user's document before it replaces it", async () => {
    const mine = await persist(paths, "mine\r\n", { origin: "/a/b.md" });
    const id = await decided(`{ generate: "echo fresh" }`, { sha: null, fresh: true });
    expect((await generate(id)).requirements).toMatchObject({ source: "generated", sha: sha("fresh\n") });
    expect(await knownDocuments(paths)).toMatchObject([
      { state: "current", source: "generated" },
      { state: "replaced", source: "user", sha: mine, origin: "/a/b.md" },
    ]);
  });

  it("does not overwrite what somebody persisted or edited while it worked", async () => {
    await persist(paths, "old\n", { source: "generated", code: codeOf("other") });
    const id = await decided(`{ generate: "echo edited > '${paths.document}'; echo new" }`);
    const { requirements } = await generate(id);
    expect(requirements).toMatchObject({ source: "user", sha: sha("edited\n") });
    expect(requirements?.why).toContain("theirs is kept and used");
    expect(await readFile(paths.document, "utf8")).toBe("edited\n");
    expect((await bench.store.readRequirements(id))?.toString()).toBe("edited\n");
  });

  it("that repeats a secret does not put it into the document", async () => {
    const id = await decided(`{ generate: 'echo "token: $API_TOKEN"' }`);
    await generate(id);
    const text = await readFile(paths.document, "utf8");
    expect(text).toMatch(/^token: /);
    expect(text).not.toContain("a-very-secret-token");
  });
});
