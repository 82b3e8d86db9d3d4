import { spawnSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { afterEach, describe, expect, it } from "vitest";
import { cleanUp } from "../support/migrations.js";
import { temporaryDirectory } from "../support/repository.js";

/** Grafana itself comes from no package registry; its SDK reads and writes what its API takes. */
const SDK = "grafana-foundation-sdk==1769699998!10.1.0";
const DASHBOARD = fileURLToPath(new URL("../../deploy/grafana/towpath.json", import.meta.url));
const READER = fileURLToPath(new URL("grafana/read-dashboard.py", import.meta.url));

const hasPython = spawnSync("python3", ["-m", "pip", "--version"]).status === 0;
if (!hasPython && process.env.CI !== undefined) {
  throw new Error("Under CI the Grafana dashboard is read with Grafana's SDK: install python3 with pip");
}

const cleanups: (() => Promise<void>)[] = [];
afterEach(() => cleanUp(cleanups));

/** What Grafana's SDK makes of a dashboard. */
async function readByGrafana(dashboard: string): Promise<unknown> {
  const library = await temporaryDirectory(cleanups);
  const install = ["-m", "pip", "install", "--quiet", "--no-deps", "--target", library, SDK];
  await execa("python3", install, { env: { PIP_ROOT_USER_ACTION: "ignore" } });
  const { stdout } = await execa("python3", [READER], { input: dashboard, env: { PYTHONPATH: library } });
  return JSON.parse(stdout);
}

describe.skipIf(!hasPython)("the Grafana dashboard (skipped where there is no python3 with pip)", () => {
  it("is read by Grafana's SDK without a loss", { timeout: 600_000 }, async () => {
    const text = await readFile(DASHBOARD, "utf8");
    expect(await readByGrafana(text)).toMatchObject(JSON.parse(text));
  });
});
