import { ApplicationFailure } from "@temporalio/common";
import { WorkflowFailedError, WorkflowUpdateFailedError } from "@temporalio/client";
import { afterEach, describe, expect, it } from "vitest";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as contract from "../../src/workflows/migration.contract.js";
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

/** A test suite in a line of shell: writes a JUnit report of the tests that `tests.txt` lists with their results. */
const SUITE = `
#!/bin/bash
# usage: suite.sh REPORT
{
  echo '<testsuite name="suite">'
  while read -r name result; do
    echo "<testcase classname=\\"suite\\" name=\\"$name\\">"
    case "$result" in fail) echo '<failure message="broken"/>' ;; skip) echo '<skipped/>' ;; esac
    echo '</testcase>'
  done < tests.txt
  echo '</testsuite>'
} > "$1"
! grep -q fail tests.txt
`.trimStart();

const FILES = { "suite.sh": SUITE, "tests.txt": "adds pass\nsubtracts pass\ndivides fail\n" };

const BASELINE = `
baseline: { run: 'bash suite.sh "$TOWPATH_OUT/base.xml"', report: base.xml }
`;

function specChanging(change: string, gate = "tests: { no-new-failures: true }"): string {
  return specWith(
    `
  guardrail: { features: from-baseline }
  migrate:
    steps: [{ id: change, run: "${change}" }]
  verify:
    steps: [{ id: suite, run: 'bash suite.sh "$TOWPATH_OUT/after.xml"', report: after.xml }]
    gate: { ${gate} }
`,
    BASELINE,
  );
}

function specWithRatchet(run: string): string {
  return specChanging("true", `ratchet: [{ name: idioms, run: "${run}", max: 2 }]`);
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

describe("the gate behind a migration", () => {
  it("lets pass what fails as it failed before, and says what was compared", async () => {
    const bench = await workbench(cleanups, FILES);
    const handle = await bench.start(specChanging("echo changed > other.txt"));
    await expect(handle.result()).resolves.toMatchObject({ status: "completed" });
    const manifest = await bench.store.readManifest(handle.workflowId);
    expect(manifest.baseline).toMatchObject({ tests: 3, failures: 1 });
    expect(manifest.gates?.verify?.evidence).toContain("tests: Unchanged: 2 passed, 1 failed, 0 skipped.");
    const features = await bench.store.readArtefact(handle.workflowId, "features");
    expect(features?.map(({ id, passes }) => [id, passes])).toEqual([
      ["suite::adds", true],
      ["suite::subtracts", true],
    ]);
  });

  it.each([
    [
      "newly skipped",
      "sed -i 's/adds pass/adds skip/' tests.txt",
      "gate-closed",
      "not skipped in the baseline: suite::adds",
    ],
    ["gone", "sed -i '/adds/d' tests.txt", "gate-closed", "missing from the report: suite::adds"],
    [
      "newly failing",
      "sed -i 's/adds pass/adds fail/' tests.txt",
      "step-failed",
      "not failing in the baseline: suite::adds",
    ],
  ])("refuses a test that is %s, by name", async (_, change, waits, message) => {
    const bench = await workbench(cleanups, FILES);
    const handle = await bench.start(specChanging(change));
    const view = await waitingFor(handle, waits);
    expect(view.waiting?.message).toContain(message);
    await stop(handle);
  });

  it("refuses a report that is about an earlier tree", async () => {
    const bench = await workbench(cleanups, FILES);
    const handle = await bench.start(
      specWith(
        `
  guardrail: { features: from-baseline }
  migrate:
    steps: [{ id: change, run: "echo x > x.txt" }]
  verify:
    steps:
      - { id: suite, run: 'bash suite.sh "$TOWPATH_OUT/after.xml"', report: after.xml }
      - { id: late, needs: [suite], run: "echo y > y.txt" }
    gate: { tests: { no-new-failures: true } }
`,
        BASELINE,
      ),
    );
    const view = await waitingFor(handle, "gate-closed");
    expect(view.waiting?.message).toContain("about an earlier tree");
    await stop(handle);
  });

  it("never turns green without a report", async () => {
    const bench = await workbench(cleanups, FILES);
    const handle = await bench.start(specChanging("echo 'exit 0' > suite.sh"));
    const view = await waitingFor(handle, "step-failed");
    expect(view.waiting?.message).toContain("after.xml");
    await stop(handle);
  });

  it("counts down a ratchet, and shuts on what is no number", async () => {
    const bench = await workbench(cleanups, FILES);
    const open = await bench.start(specWithRatchet("wc -l < tests.txt | tr 3 2"));
    await expect(open.result()).resolves.toMatchObject({ status: "completed" });
    const tooMany = await bench.start(specWithRatchet("wc -l < tests.txt"));
    expect((await waitingFor(tooMany, "gate-closed")).waiting?.message).toContain(
      "ratchet idioms: 3 found, at most 2 allowed",
    );
    await stop(tooMany);
    const noNumber = await bench.start(specWithRatchet("echo none"));
    expect((await waitingFor(noNumber, "gate-closed")).waiting?.message).toContain("did not print a number");
    await stop(noNumber);
  });

  it("ignores what somebody claims in a file: Towpath runs the tests itself", async () => {
    const bench = await workbench(cleanups, FILES);
    const handle = await bench.start(
      specWith(`
  guardrail:
    steps:
      - id: claim
        run: |
          echo '[{"id": "works", "description": "works", "passes": true, "characterization_test": "false"}]' > "$TOWPATH_DIR/features.json"
  migrate: { steps: [{ id: nothing, run: "true" }] }
`),
    );
    const view = await waitingFor(handle, "gate-closed");
    expect(view.waiting?.message).toContain("1 characterization tests not passing (works)");
    await stop(handle);
  });
});

describe("approval", () => {
  const spec = specWith(`${TRIVIAL_GUARDRAIL}
  migrate:
    steps: [{ id: change, run: "echo x > x.txt" }]
    gate: { approval: { required: 1 } }
`);

  it("is for the tree that waits, and no other", async () => {
    const bench = await workbench(cleanups, FILES);
    const handle = await bench.start(spec);
    const view = await waitingFor(handle, "approval");
    const approve = (tree: string) =>
      handle.executeUpdate(contract.approve, { args: [{ by: "grace", comment: "", tree }] });
    const other = await bench.repository.git("rev-parse", "main^{tree}");
    expect(await refusal(approve(other))).toMatchObject({ type: "ApprovalRefused" });
    await approve(view.waiting?.tree ?? "");
    await handle.result();
    const manifest = await bench.store.readManifest(handle.workflowId);
    expect(manifest.approvals).toMatchObject([{ phase: "migrate", by: "grace", tree: view.waiting?.tree }]);
  });

  it("is refused when the branch has got another tree meanwhile", async () => {
    const bench = await workbench(cleanups, FILES);
    const handle = await bench.start(spec);
    const view = await waitingFor(handle, "approval");
    const worktree = join(bench.dataDir, "workspaces", handle.workflowId);
    await writeFile(join(worktree, "sneaked.txt"), "in\n");
    await bench.repository.git("-C", worktree, "add", "sneaked.txt");
    await bench.repository.git("-C", worktree, "commit", "--quiet", "--message=sneaked in");
    const approval = handle.executeUpdate(contract.approve, {
      args: [{ by: "grace", comment: "", tree: view.waiting?.tree ?? "" }],
    });
    expect(await refusal(approval)).toMatchObject({ type: "ApprovalRefused" });
    expect((await waitingFor(handle, "blocked")).waiting?.message).toContain(
      "Somebody moved the migration's branch",
    );
    await stop(handle);
  });

  it("that is refused ends the migration, and the branch stays", async () => {
    const bench = await workbench(cleanups, FILES);
    const handle = await bench.start(spec);
    await waitingFor(handle, "approval");
    await handle.executeUpdate(contract.reject, { args: [{ by: "grace", comment: "no" }] });
    await expect(handle.result()).rejects.toBeInstanceOf(WorkflowFailedError);
    const manifest = await bench.store.readManifest(handle.workflowId);
    expect(manifest).toMatchObject({ status: "rejected", outcome: "migrate was rejected by grace: no" });
    expect(await bench.repository.git("log", "--format=%s", `main..${manifest.branch ?? ""}`)).toBe("change");
  });
});

async function stop(handle: MigrationHandle): Promise<void> {
  await handle.signal(contract.stop, { by: "ada", reason: "" });
  await handle.result();
}

describe("tests that are skipped anew", { timeout: 300_000 }, () => {
  const skipping = "sed -i 's/subtracts pass/subtracts skip/' tests.txt";
  const gate = "tests: { no-new-failures: true, newly-skipped: approve }";

  it("are approved by name where the spec says so, and never what else is lost", async () => {
    const bench = await workbench(cleanups, FILES);
    const handle = await bench.start(specChanging(skipping, gate));
    const { waiting } = await waitingFor(handle, "approval");
    expect(waiting?.message).toContain("with 1 newly skipped test: suite::subtracts");
    const tree = waiting?.tree ?? "";
    await handle.executeUpdate(contract.approve, { args: [{ by: "bea", comment: "not ours", tree }] });
    await expect(handle.result()).resolves.toMatchObject({ status: "completed" });
    const manifest = await bench.store.readManifest(handle.workflowId);
    expect(manifest.approvals).toMatchObject([{ by: "bea", tree, exceptions: ["suite::subtracts"] }]);
    const report = await bench.store.readDocument(handle.workflowId, "docs", "verification-report.md");
    expect(report).toContain("bea approved, newly skipped: suite::subtracts");

    const losing = await bench.start(specChanging(`${skipping}; sed -i /adds/d tests.txt`, gate));
    const closed = await waitingFor(losing, "gate-closed");
    expect(closed.waiting?.message).toContain("missing from the report: suite::adds");
    await losing.signal(contract.stop, { by: "ada", reason: "" });
    await losing.result();
  });

  it("need nobody where none is, and close the gate where the spec says nothing of them", async () => {
    const bench = await workbench(cleanups, FILES);
    const none = await bench.start(specChanging("echo changed > other.txt", gate));
    await expect(none.result()).resolves.toMatchObject({ status: "completed" });
    const silent = await bench.start(specChanging(skipping));
    const { waiting } = await waitingFor(silent, "gate-closed");
    expect(waiting?.message).toContain("skipped, and not skipped in the baseline: suite::subtracts");
    await silent.signal(contract.stop, { by: "ada", reason: "" });
    await silent.result();
  });
});
