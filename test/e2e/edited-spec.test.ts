import { createHash } from "node:crypto";
import { WorkflowUpdateFailedError } from "@temporalio/client";
import { ApplicationFailure } from "@temporalio/common";
import { afterEach, describe, expect, it } from "vitest";
import * as contract from "../../src/workflows/migration.contract.js";
import type { RetryAnswer } from "../../src/model/messages.js";
import {
  cleanUp,
  type MigrationHandle,
  specWith,
  TRIVIAL_GUARDRAIL,
  waitingFor,
  workbench,
} from "../support/migrations.js";

const cleanups: (() => Promise<void>)[] = [];
afterEach(() => cleanUp(cleanups));

const FILES = { "app.txt": "old\n", ".gitignore": "deps/\n" };

/** Each step says in a file of the migration's directory that it ran: what is undone in the worktree does not undo it. */
function steps(...bodies: readonly (readonly [id: string, run: string, needs?: string])[]): string {
  const lines = bodies.map(
    ([id, run, needs]) =>
      `      - { id: ${id}, run: 'echo ${id} >> "$TOWPATH_DIR/ran.txt"; ${run}'${needs === undefined ? "" : `, needs: [${needs}]`} }`,
  );
  return `  migrate:\n    steps:\n${lines.join("\n")}\n`;
}

async function edit(
  handle: MigrationHandle,
  text: string,
  more: { params?: Record<string, string> } = {},
): Promise<RetryAnswer> {
  const digest = createHash("sha256").update(text).digest("hex");
  const spec = { fileName: "towpath.yaml", text, digest, params: {}, allowHost: true, ...more };
  return await handle.executeUpdate(contract.retry, { args: [{ by: "ada", spec }] });
}

async function refusal(update: Promise<unknown>): Promise<ApplicationFailure> {
  const error = await update.then(
    () => new Error("the update was not refused"),
    (caught: unknown) => caught,
  );
  if (error instanceof WorkflowUpdateFailedError && error.cause instanceof ApplicationFailure)
    return error.cause;
  throw error;
}

async function ran(bench: Awaited<ReturnType<typeof workbench>>, id: string): Promise<string[]> {
  const { readFile } = await import("node:fs/promises");
  const text = await readFile(`${bench.store.paths(id).directory}/ran.txt`, "utf8");
  return text.trim().split("\n");
}

const A = ["first", "echo a >> app.txt"] as const;
const B = ["second", "echo b >> app.txt", "first"] as const;
const FAILING = ["third", "exit 3", "second"] as const;

function specPreparing(setup: string, baseline: string): string {
  return specWith(
    TRIVIAL_GUARDRAIL + steps(A),
    `workspace: { setup: "${setup}" }\nbaseline: { run: '${baseline}', report: base.xml }`,
  );
}

/** A baseline that only the untouched commit lets pass. */
function baselineNamed(name: string): string {
  return `baseline: { run: 'grep -q a app.txt && exit 9; echo "<testsuite><testcase name=\\"${name}\\"/></testsuite>" > "$TOWPATH_OUT/base.xml"', report: base.xml }`;
}

function specWithGate(gate: string, after = "true"): string {
  return specWith(`${TRIVIAL_GUARDRAIL}${steps(A)}    gate: { ${gate} }
  verify:
    steps: [{ id: check, run: "${after}" }]
`);
}

describe("an edited spec", () => {
  it("runs again exactly the step that changed and what depends on it, and keeps the rest", async () => {
    const bench = await workbench(cleanups, FILES);
    const handle = await bench.start(specWith(TRIVIAL_GUARDRAIL + steps(A, B, FAILING)));
    await waitingFor(handle, "step-failed");
    const before = await bench.store.readManifest(handle.workflowId);

    const changed = ["second", "echo B >> app.txt", "first"] as const;
    const mended = ["third", "echo c >> app.txt", "second"] as const;
    const answer = await edit(handle, specWith(TRIVIAL_GUARDRAIL + steps(A, changed, mended)));
    expect(answer.continued).toMatchObject({ phase: "migrate", step: "second", kept: 2 });
    await expect(handle.result()).resolves.toMatchObject({ status: "completed" });

    expect(await ran(bench, handle.workflowId)).toEqual(["first", "second", "third", "second", "third"]);
    const branch = `towpath/${handle.workflowId}`;
    expect(await bench.repository.git("show", `${branch}:app.txt`)).toBe("old\na\nB\nc");
    const after = await bench.store.readManifest(handle.workflowId);
    expect(after.steps?.["first"]).toEqual(before.steps?.["first"]);
    expect(after.steps?.["second"]).toMatchObject({ status: "completed", attempts: 2 });
    // What was undone stays reachable, and both specs are kept.
    const undone = answer.continued?.undone ?? "";
    expect(await bench.repository.git("show", `${undone}:app.txt`)).toBe("old\na\nb");
    expect(
      await bench.store.readDocument(handle.workflowId, "specs", `${before.spec_digest}.yaml`),
    ).toContain("echo b");
  });

  it("keeps everything when only a later step is added, and what only decides how patiently a step is tried", async () => {
    const bench = await workbench(cleanups, FILES);
    const handle = await bench.start(specWith(TRIVIAL_GUARDRAIL + steps(A, B, FAILING)));
    await waitingFor(handle, "step-failed");
    const patient = specWith(
      TRIVIAL_GUARDRAIL + steps(A, B, ["other", "echo c >> app.txt", "second"]),
      "defaults: { timeout: 5m }",
    );
    const answer = await edit(handle, patient);
    expect(answer.continued).toEqual({ phase: "migrate", step: "other", kept: 3, undone: null });
    await expect(handle.result()).resolves.toMatchObject({ status: "completed" });
    expect(await ran(bench, handle.workflowId)).toEqual(["first", "second", "third", "other"]);
  });

  it("runs a step again whose parameter changed, and not one that does not use it", async () => {
    const bench = await workbench(cleanups, FILES);
    const params = "params: { word: { type: string, default: one } }";
    const uses = ["second", "echo ${{ params.word }} >> app.txt"] as const;
    const spec = specWith(TRIVIAL_GUARDRAIL + steps(A, uses, FAILING), params);
    const handle = await bench.start(spec, { params: { word: "two" } });
    await waitingFor(handle, "step-failed");
    const mended = specWith(TRIVIAL_GUARDRAIL + steps(A, uses, ["third", "true", "second"]), params);
    expect((await edit(handle, mended)).continued).toMatchObject({ step: "third", kept: 3 });
    await expect(handle.result()).resolves.toMatchObject({ status: "completed" });
    const branch = `towpath/${handle.workflowId}`;
    expect(await bench.repository.git("show", `${branch}:app.txt`)).toBe("old\na\ntwo");

    const other = await bench.start(spec, { params: { word: "two" } });
    await waitingFor(other, "step-failed");
    const answer = await edit(other, mended, { params: { word: "three" } });
    expect(answer.continued).toMatchObject({ step: "second", kept: 2 });
    await expect(other.result()).resolves.toMatchObject({ status: "completed" });
  });

  it("is checked at the gate whose rule changed, and lets no earlier approval count", async () => {
    const bench = await workbench(cleanups, FILES);
    const handle = await bench.start(specWithGate("approval: { required: 1 }", "false"));
    const { waiting } = await waitingFor(handle, "approval");
    const tree = waiting?.tree ?? "";
    await handle.executeUpdate(contract.approve, { args: [{ by: "bea", comment: "", tree }] });
    await waitingFor(handle, "step-failed");
    const answer = await edit(handle, specWithGate('run: "true", approval: { required: 1 }'));
    expect(answer).toMatchObject({ continued: { phase: "migrate", step: null, kept: 2, undone: null } });
    await waitingFor(handle, "approval");
    await handle.executeUpdate(contract.approve, { args: [{ by: "bea", comment: "", tree }] });
    await expect(handle.result()).resolves.toMatchObject({ status: "completed" });
    expect(await ran(bench, handle.workflowId)).toEqual(["first"]);
    const { approvals } = await bench.store.readManifest(handle.workflowId);
    expect(approvals?.map(({ superseded }) => superseded ?? false)).toEqual([true, false]);
  });

  it("cures a setup that failed, and a baseline that cannot be run", async () => {
    const bench = await workbench(cleanups, FILES);
    const suite = `echo "<testsuite><testcase name=\\"t\\"/></testsuite>" > "$TOWPATH_OUT/base.xml"`;
    const handle = await bench.start(specPreparing("false", "true"));
    await waitingFor(handle, "preparation-failed");
    await edit(handle, specPreparing("mkdir deps", "true"));
    const view = await waitingFor(handle, "preparation-failed");
    expect(view.waiting?.message).toContain("baseline");
    await edit(handle, specPreparing("mkdir deps", suite));
    await expect(handle.result()).resolves.toMatchObject({ status: "completed" });
    expect((await bench.store.readManifest(handle.workflowId)).baseline).toMatchObject({ tests: 1 });
  });

  it("measures a changed baseline anew on the untouched commit", async () => {
    const bench = await workbench(cleanups, FILES);
    const handle = await bench.start(
      specWith(TRIVIAL_GUARDRAIL + steps(A, FAILING), baselineNamed("one")).replace(
        "needs: [second]",
        "needs: [first]",
      ),
    );
    await waitingFor(handle, "step-failed");
    const answer = await edit(handle, specWith(TRIVIAL_GUARDRAIL + steps(A), baselineNamed("two")));
    expect(answer.continued).toMatchObject({ phase: "guardrail", kept: 1 });
    await expect(handle.result()).resolves.toMatchObject({ status: "completed" });
    expect(await ran(bench, handle.workflowId)).toEqual(["first", "third", "first"]);
  });

  it("is refused with every problem, and changes nothing", async () => {
    const bench = await workbench(cleanups, FILES);
    const handle = await bench.start(specWith(TRIVIAL_GUARDRAIL + steps(A, ["third", "exit 3"])));
    await waitingFor(handle, "step-failed");
    // The workflow says that it waits before its host has recorded so.
    const recorded = (): Promise<unknown> => bench.store.readManifest(handle.workflowId);
    await expect.poll(recorded, { timeout: 90_000 }).toMatchObject({ status: "waiting" });
    const before = await bench.store.readManifest(handle.workflowId);
    const invalid = specWith(TRIVIAL_GUARDRAIL + steps(["third", "true", "nobody"])).replace(
      "name: test",
      "name: test\nbogus: 1",
    );
    const refused = await refusal(edit(handle, invalid));
    expect(refused.type).toBe("SpecInvalid");
    expect(refused.message).toContain("2 problems");
    expect(refused.message).toContain("nobody");
    const another = specWith(TRIVIAL_GUARDRAIL + steps(A)).replace("target: next", "target: elsewhere");
    expect(await refusal(edit(handle, another))).toMatchObject({ type: "Usage" });
    const { revision: _, updated_at: __, ...after } = await bench.store.readManifest(handle.workflowId);
    expect(before).toMatchObject(after);
    await waitingFor(handle, "step-failed");
    await handle.signal(contract.stop, { by: "ada", reason: "" });
    await handle.result();
  });

  it("is taken from a paused migration, and refused by one that runs or is hands-on", async () => {
    const bench = await workbench(cleanups, FILES);
    const spec = specWith(TRIVIAL_GUARDRAIL + steps(["first", "sleep 1; echo a >> app.txt"], B));
    const handle = await bench.start(spec);
    await expect
      .poll(async () => (await handle.query(contract.progress)).steps.current?.id, { timeout: 90_000 })
      .toBe("first");
    const refused = await refusal(edit(handle, spec));
    expect(refused.message).toContain("pause the migration first");
    await handle.signal(contract.pause);
    await waitingFor(handle, "paused");
    await edit(handle, specWith(TRIVIAL_GUARDRAIL + steps(["first", "echo A >> app.txt"], B)));
    await waitingFor(handle, "paused");
    // As a worker leaves it that died between the record and the file: the recorded spec holds.
    await bench.store.writeSpec(handle.workflowId, spec);
    await handle.signal(contract.resume);
    await expect(handle.result()).resolves.toMatchObject({ status: "completed" });
    expect(await ran(bench, handle.workflowId)).toEqual(["first", "first", "second"]);

    const handsOn = await bench.start(null);
    await waitingFor(handsOn, "advance");
    expect((await refusal(edit(handsOn, spec))).message).toContain("hands-on");
  });
});
