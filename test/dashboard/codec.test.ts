import { once } from "node:events";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { readEmbeddedState } from "../../src/adapters/temporal/embedded-state.js";
import { KEY_FILE_VARIABLE } from "../../src/adapters/temporal/encryption/keys.js";
import { makeHome } from "../support/cli.js";
import { cleanUp } from "../support/migrations.js";
import { createRepository } from "../support/repository.js";
import { chromiumPath, startBrowser } from "./browser.js";

const executable = chromiumPath();
if (executable === null && process.env.CI !== undefined) {
  throw new Error("Under CI the Web UI is looked at: install chromium");
}

const cleanups: (() => Promise<void>)[] = [];
afterEach(() => cleanUp(cleanups));

const SPEC = `
version: 1
name: letters
target: next
phases:
  understand: { steps: [{ id: survey, uses: survey }] }
  guardrail: { features: [{ id: stands, description: it stands, test: "true" }] }
  migrate: { steps: [{ id: readable-step, run: "exit 4" }] }
`;

describe.skipIf(executable === null)(
  "the Web UI with encryption (skipped where there is no chromium)",
  () => {
    it(
      "shows nothing of a migration without the codec server, and all of it with it",
      { timeout: 600_000 },
      async () => {
        const home = await makeHome("own");
        cleanups.push(() => home.remove());
        const keys = join(home.dataDir, "..", "keys");
        await home.run(["codec-key", keys]);
        // The embedded server, whatever else the tests run on: its UI is told of the codec server.
        const embedded = { TEMPORAL_ADDRESS: "", TEMPORAL_NAMESPACE: "", TEMPORAL_UI_ADDRESS: "" };
        const env = { ...embedded, [KEY_FILE_VARIABLE]: keys };
        const project = await createRepository(join(home.dataDir, "..", "project"), { "towpath.yaml": SPEC });
        const started = await home.run(["start", project.path, "--allow-host", "--json"], env);
        expect(started).toMatchObject({ code: 0 });
        const { id } = z.object({ id: z.string() }).parse(JSON.parse(started.stdout));
        const status = async (): Promise<string> => (await home.run(["status", id, "--json"], env)).stdout;
        await expect.poll(status, { timeout: 180_000, interval: 1_000 }).toContain('"waiting"');

        const browser = await startBrowser(executable ?? "");
        cleanups.push(() => browser.close());
        const { uiAddress = "" } = (await readEmbeddedState(home.dataDir)) ?? {};
        const history = `${uiAddress}/namespaces/default/workflows/${id}`;
        const closed = await browser.open(history);
        await closed.getByText("attemptStep").first().waitFor({ timeout: 90_000 });
        expect(await textOf(closed)).not.toContain("readable-step");
        await closed.close();

        const server = home.spawn(["codec-server", "--json"], env);
        cleanups.push(async () => {
          server.kill("SIGTERM");
          if (server.exitCode === null) await once(server, "exit");
        });
        if (server.stdout === null) throw new Error("no output");
        const [line] = await once(server.stdout, "data");
        expect(String(line)).toContain("http://127.0.0.1:");

        const opened = await browser.open(history);
        await expect.poll(() => textOf(opened), { timeout: 90_000 }).toContain("attemptStep • readable-step");
        await browser.picture(opened, "web-ui-decrypted");
      },
    );
  },
);

/** What a page shows, its frames included: the UI shows Markdown in frames of its own. */
async function textOf(page: Page): Promise<string> {
  const texts = await Promise.all(page.frames().map((frame) => frame.locator("body").innerText()));
  return texts.join("\n");
}
