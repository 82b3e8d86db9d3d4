import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium, type Page } from "playwright-core";

const NAMES = ["chromium", "chromium-browser", "google-chrome"];

/** Chromium as the system has it; null where there is none. */
export function chromiumPath(): string | null {
  const directories = (process.env.PATH ?? "").split(delimiter);
  const paths = NAMES.flatMap((name) => directories.map((directory) => join(directory, name)));
  return paths.find((path) => existsSync(path)) ?? null;
}

/** Where what the browser showed is kept, to be looked at. */
const RESULTS = fileURLToPath(new URL("../../test-results/", import.meta.url));

export interface Browser {
  /** Opens a page of its own at 1400 by 1000 pixels. */
  open(address: string): Promise<Page>;
  /** Writes `test-results/<name>.png`. */
  picture(page: Page, name: string): Promise<void>;
  close(): Promise<void>;
}

/** Starts a browser that reaches this machine and asks for nothing else. */
export async function startBrowser(executablePath: string): Promise<Browser> {
  const profile = await mkdtemp(join(tmpdir(), "towpath-browser-"));
  const quiet = ["quic", "background-networking", "component-update", "sync"].map(
    (what) => `--disable-${what}`,
  );
  const context = await chromium.launchPersistentContext(profile, {
    executablePath,
    headless: true,
    args: ["--no-sandbox", "--disable-gpu", "--no-first-run", ...quiet],
    viewport: { width: 1400, height: 1000 },
  });
  await mkdir(RESULTS, { recursive: true });
  return {
    open: async (address) => {
      const page = await context.newPage();
      await page.goto(address);
      return page;
    },
    picture: async (page, name) => {
      await page.screenshot({ path: join(RESULTS, `${name}.png`) });
    },
    close: async () => {
      await context.close();
      await rm(profile, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}
