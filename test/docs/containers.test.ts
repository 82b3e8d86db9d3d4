import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Home, makeHome } from "../support/cli.js";
import { describeWithRegistry, TestEngine } from "../support/engine.js";
import { installation } from "../support/installation.js";

const page = fileURLToPath(new URL("../../docs/containers.md", import.meta.url));
const engine = new TestEngine();
const image = `${engine.repository("python")}:3.11-slim`;
let home: Home;
let scratch: string;

describeWithRegistry("the commands of the documentation of containers", () => {
  beforeAll(async () => {
    home = await makeHome("own");
    scratch = await mkdtemp(join(tmpdir(), "towpath-docs-"));
    await engine.published(image);
  });
  afterAll(async () => {
    await home.remove();
    await engine.remove();
    await rm(scratch, { recursive: true, force: true });
  });

  it("keep an image fresh, once and on a schedule, and stop what runs", { timeout: 300_000 }, async () => {
    const old = await engine.image(`${engine.repository("python")}:old`);
    const text = await readFile(page, "utf8");
    const blocks = [...text.matchAll(/^```sh\n(?<script>[\s\S]*?)^```$/gm)].map(
      (match) => match.groups?.["script"] ?? "",
    );
    // The registry of the tests has no image of Docker Hub's.
    const script = blocks.join("\n").replaceAll("python:3.11-slim", image);
    const cli = await installation("own");
    const functions = `towpath() { "${process.execPath}" "${cli}" "$@"; }\n`;
    const answer = await execa("bash", ["-e", "-c", functions + script], {
      cwd: scratch,
      env: { ...home.env, ...engine.env },
      extendEnv: false,
      reject: false,
      all: true,
    });
    expect(answer).toMatchObject({ exitCode: 0 });
    expect(answer.all).toMatch(/removed [0-9a-f]{12} .*:old/);
    expect(answer.all).toMatch(/Created towpath-images:\S+ +next \d{4}-/);
    expect(answer.all).toContain("No active session");
    expect(await engine.hasImage(old)).toBe(false);
  });
});
