import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from "vitest";
import { listQuery } from "../../src/model/dashboard.js";
import type { Page } from "playwright-core";
import { detailsLink, listLink, migrationLink } from "../../src/client/migrations/link.js";
import {
  cleanUp,
  type MigrationHandle,
  specWith,
  TRIVIAL_GUARDRAIL,
  waitingFor,
  workbench,
  type Workbench,
} from "../support/migrations.js";
import { type Browser, chromiumPath, startBrowser } from "./browser.js";

const executable = chromiumPath();
if (executable === null && process.env.CI !== undefined) {
  throw new Error("Under CI the Web UI is looked at: install chromium");
}

const REPORT = (failed: number): string =>
  `printf '<testsuite><testcase name="a"/><testcase name="b">${failed > 0 ? "<failure/>" : ""}</testcase></testsuite>' > "$TOWPATH_OUT/r.xml"`;

const SPEC = specWith(
  `${TRIVIAL_GUARDRAIL}
  migrate:
    steps:
      - { id: convert, run: ${JSON.stringify(`${REPORT(0)}; echo b >> a.txt`)}, report: r.xml }
      - { id: polish, run: "echo not <b>yet</b>; exit 1", retry: { max-attempts: 2 } }
`,
  `baseline: { run: ${JSON.stringify(REPORT(1))}, report: r.xml }`,
);

const STEPS = Array.from(
  { length: 30 },
  (_, n) => `      - { id: step-${n + 1}, run: "echo ${n} >> a.txt" }`,
);

function longSpec(gate: string): string {
  return specWith(`${TRIVIAL_GUARDRAIL}\n  migrate:\n    gate: ${gate}\n    steps:\n${STEPS.join("\n")}\n`);
}

const LONG: Readonly<Record<string, string>> = {
  "long-waiting": longSpec("{ approval: { required: 1, timeout: 7d } }"),
  "long-rejected": longSpec("{ approval: { required: 1, timeout: 1ms, on-timeout: reject } }"),
  "long-completed": longSpec("{}"),
};

describe.skipIf(executable === null)("the Temporal Web UI (skipped where there is no chromium)", () => {
  const cleanups: (() => Promise<void>)[] = [];
  const runtime = { server: { uiAddress: inject("temporalUi") }, endpoint: { namespace: "default" } };
  let bench: Workbench;
  let browser: Browser;
  let waiting: MigrationHandle;
  let completed: MigrationHandle;

  beforeAll(async () => {
    bench = await workbench(cleanups, { "a.txt": "a\n" });
    browser = await startBrowser(executable ?? "");
    cleanups.push(() => browser.close());
    waiting = await bench.start(SPEC, { name: "letters", target: "next|gen" });
    const simple = specWith(
      `${TRIVIAL_GUARDRAIL}\n  migrate: { steps: [{ id: change, run: "echo c >> a.txt" }] }`,
    );
    completed = await bench.start(simple, { name: "all done" });
  }, 300_000);
  beforeEach(async () => {
    await waitingFor(waiting, "step-failed");
    await completed.result();
  }, 300_000);
  afterAll(() => cleanUp(cleanups));

  it("lists what waits for somebody, by our attributes, and nothing else", { timeout: 300_000 }, async () => {
    const facts = { now: new Date(), hostId: bench.host.hostId };
    const query = `${listQuery("here", facts)} AND TowpathWaitingFor = "step-failed" AND TowpathProgress > 50`;
    const page = await browser.open(listLink(runtime, query, undefined) ?? "");
    await page.getByText(waiting.workflowId).first().waitFor();
    expect(await page.getByText(completed.workflowId).count()).toBe(0);
    await browser.picture(page, "web-ui-list");
  });

  it(
    "shows on a migration's page where it stands, and the command that answers",
    { timeout: 300_000 },
    async () => {
      const { runId } = await waiting.describe();
      const page = await browser.open(detailsLink(runtime, waiting.workflowId, runId, undefined) ?? "");
      await expect
        .poll(() => textOf(page), { timeout: 90_000 })
        .toContain(`towpath retry ${waiting.workflowId}`);
      const text = await textOf(page);
      expect(text).toContain("Waits for you: step failed (migrate)");
      expect(text).toContain("before 1 failed, 1 passed · now 2 passed");
      expect(text).toContain("next|gen");
      expect(text).toContain("not <b>yet</b>");
      await browser.picture(page, "web-ui-migration");
    },
  );

  it(
    "shows a long migration's whole table, where it waits, was rejected and is completed",
    { timeout: 600_000 },
    async () => {
      const ends = await Promise.all(
        Object.entries(LONG).map(async ([name, spec]) => [name, await bench.start(spec, { name })] as const),
      );
      for (const [name, handle] of ends) {
        if (name === "long-waiting") await waitingFor(handle, "approval", 300_000);
        else await handle.result().catch(() => null);
        const { runId } = await handle.describe();
        const page = await browser.open(detailsLink(runtime, handle.workflowId, runId, undefined) ?? "");
        await page.setViewportSize({ width: 1400, height: 1700 });
        await expect
          .poll(() => textOrReload(page), { timeout: 180_000, interval: 3_000 })
          .toContain("Steps: 31 of 31 done.");
        const text = await textOf(page);
        expect(text).toContain(`${name} → next`);
        expect(text).toContain("started by: ada");
        for (const step of ["survey", "step-1", "step-30"]) expect(text).toContain(step);
        expect(text.includes("Waits for you: approval")).toBe(name === "long-waiting");
        expect(text.includes("It is rejected: nobody approved migrate in time")).toBe(
          name === "long-rejected",
        );
        await browser.picture(page, `web-ui-${name}`);
      }
    },
  );

  it("says of each activity and timer what it was for", { timeout: 300_000 }, async () => {
    const page = await browser.open(migrationLink(runtime, waiting.workflowId, undefined) ?? "");
    const summaries = ["baseline on the untouched base commit", "backoff of polish", "polish (attempt 2)"];
    await page
      .getByText(summaries[0] ?? "")
      .first()
      .waitFor();
    const text = await textOf(page);
    for (const summary of summaries) expect(text).toContain(summary);
    await browser.picture(page, "web-ui-history");
  });
});

/** The same; the UI gives up early on a machine that is busy, and asks its user to try again. */
async function textOrReload(page: Page): Promise<string> {
  const text = await textOf(page);
  if (text.includes("Try a refresh")) await page.reload();
  return text;
}

/** What a page shows, its frames included: the UI shows Markdown in frames of its own. */
async function textOf(page: Page): Promise<string> {
  const texts = await Promise.all(page.frames().map((frame) => frame.locator("body").innerText()));
  return texts.join("\n");
}
