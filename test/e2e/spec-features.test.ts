import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { cleanUp, specWith, TRIVIAL_GUARDRAIL, waitingFor, workbench } from "../support/migrations.js";
import * as contract from "../../src/workflows/migration.contract.js";

const cleanups: (() => Promise<void>)[] = [];
afterEach(() => cleanUp(cleanups));

function specWithSetup(exclude: string): string {
  return specWith(
    `${TRIVIAL_GUARDRAIL}
  migrate:
    steps: [{ id: use, run: "cat deps/made .tools/made > all.txt" }]
`,
    `workspace: { setup: "mkdir -p deps .tools; echo made | tee -a deps/made > .tools/made", exclude: [${exclude}] }`,
  );
}

function specChanging(run: string): string {
  return specWith(`${TRIVIAL_GUARDRAIL}
  migrate:
    steps: [{ id: change, run: "${run}" }]
`);
}

describe("a spec", () => {
  it("hands params and outputs on as data, and leaves out what its conditions exclude", async () => {
    const bench = await workbench(cleanups, { "a.txt": "old\n" });
    const handle = await bench.start(
      specWith(
        `${TRIVIAL_GUARDRAIL}
  migrate:
    steps:
      - id: ask
        run: echo "answer=forty two" >> "$TOWPATH_OUTPUT"
        outputs: [answer]
      - { id: use, needs: [ask], run: "printf '%s|%s' \${{ params.word }} \${{ steps.ask.outputs.answer }} > out.txt" }
      - { id: left-out, if: "\${{ params.word == 'other' }}", run: "touch left-out.txt" }
      - { id: shaky, run: "exit 1", continue-on-error: true }
`,
        "params: { word: { type: string, required: true } }",
      ),
      { params: { word: "a; touch injected.txt" } },
    );
    const result = await handle.result();
    expect(result.status).toBe("completed");
    expect(await bench.repository.git("show", `${result.branch}:out.txt`)).toBe(
      "a; touch injected.txt|forty two",
    );
    expect(await bench.repository.git("ls-tree", "--name-only", result.branch)).toBe("a.txt\nout.txt");
    const { steps } = await bench.store.readManifest(handle.workflowId);
    expect(steps?.["left-out"]?.skipped).toMatchObject({ by: "towpath" });
    expect(steps?.["shaky"]).toMatchObject({ status: "failed", tolerated: true });
    const report = await readFile(
      join(bench.store.paths(handle.workflowId).docs, "verification-report.md"),
      "utf8",
    );
    expect(report).toContain("failed, tolerated");
  });

  it("sets the fresh worktree up once, and says what setup may not leave behind", async () => {
    const bench = await workbench(cleanups, { "a.txt": "old\n", ".gitignore": "deps/\n" });
    const handle = await bench.start(specWithSetup('".tools/"'));
    const result = await handle.result();
    expect(await bench.repository.git("show", `${result.branch}:all.txt`)).toBe("made\nmade");

    const careless = await bench.start(specWithSetup(""));
    const view = await waitingFor(careless, "preparation-failed");
    expect(view.waiting?.message).toContain(".tools/made");
    expect(view.waiting?.message).toContain("workspace.exclude");
    await careless.signal(contract.stop, { by: "ada", reason: "" });
    await careless.result();
  });

  it("works in the folder of a monorepo, and counts a change outside of it as outside", async () => {
    const bench = await workbench(cleanups, { "app/a.txt": "old\n", "lib/b.txt": "old\n" });
    const source = join(bench.repository.path, "app");
    const inside = await bench.start(specChanging("echo new > a.txt"), { source });
    const result = await inside.result();
    expect(await bench.repository.git("show", `${result.branch}:app/a.txt`)).toBe("new");
    const outside = await bench.start(specChanging("echo new > ../lib/b.txt"), { source });
    const view = await waitingFor(outside, "step-failed");
    expect(view.waiting?.message).toContain("lib/b.txt");
    await outside.signal(contract.stop, { by: "ada", reason: "" });
    await outside.result();
  });
});
