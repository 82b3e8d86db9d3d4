import { chmod, mkdir, mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  TEMPORAL_CLI_VERSION,
  cacheDirectory,
  findBinary,
  provisionTemporal,
} from "../../../src/adapters/temporal/provision.js";

const GOOD = 'echo "temporal version 1.5.1 (Server 1.29.1, UI 2.42.1)"';
const OLD = 'echo "temporal version 0.13.0 (Server 1.24.1, UI 2.28.0)"';

let root: string;
let env: Record<string, string>;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "towpath-provision-"));
  // A proxy that refuses at once: the SDK's download must not leave the machine in tests.
  const proxy = "http://127.0.0.1:9";
  env = { PATH: join(root, "bin"), HOME: root, TOWPATH_CACHE_DIR: join(root, "cache"), HTTPS_PROXY: proxy };
  await mkdir(join(root, "bin"));
});
afterEach(() => rm(root, { recursive: true }));

async function program(path: string, script: string): Promise<string> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, `#!/bin/sh\n${script}\n`);
  await chmod(path, 0o755);
  return path;
}

const own = () => join(root, "own", "temporal-cli");
const onPath = () => join(root, "bin", "temporal");
const cached = () => join(root, "cache", "temporal", TEMPORAL_CLI_VERSION, "temporal");

/** A go that "builds" a program of this text, and notes how it was called. */
async function fakeGo(script: string): Promise<void> {
  const built = await program(join(root, "built"), script);
  await program(
    join(root, "bin", "go"),
    `echo "$@" >> "${root}/go-calls"; /bin/cp "${built}" "$GOBIN/temporal"`,
  );
}

describe("the Temporal CLI", () => {
  it("is the configured one before all others", async () => {
    await program(own(), GOOD);
    await program(onPath(), GOOD);
    const found = await provisionTemporal({ env: { ...env, TOWPATH_TEMPORAL_CLI: own() } });
    expect(found).toMatchObject({ source: "TOWPATH_TEMPORAL_CLI", path: own() });
  });

  it.each([
    ["missing", null],
    ["another program", "echo hello"],
    ["one that fails", "exit 3"],
    ["too old", OLD],
  ])("is refused when the configured one is %s, though PATH has a good one", async (_, script) => {
    if (script !== null) await program(own(), script);
    await program(onPath(), GOOD);
    await expect(provisionTemporal({ env: { ...env, TOWPATH_TEMPORAL_CLI: own() } })).rejects.toMatchObject({
      type: "TemporalUnavailable",
      message: expect.stringContaining(own()),
    });
  });

  it("is the one on PATH before the cache", async () => {
    await program(onPath(), GOOD);
    await program(cached(), GOOD);
    expect(await provisionTemporal({ env })).toMatchObject({ source: "PATH", path: onPath() });
  });

  it.each([
    ["too old", OLD],
    ["broken", "exit 1"],
  ])("is the cached one where the one on PATH is %s", async (_, script) => {
    await program(onPath(), script);
    await program(cached(), GOOD);
    expect(await provisionTemporal({ env })).toMatchObject({ source: "cache", path: cached() });
  });

  it("is built with Go where nothing else leads to it, and is then in the cache", async () => {
    await fakeGo(GOOD);
    const progress: string[] = [];
    const built = await provisionTemporal({ env, onProgress: (message) => progress.push(message) });
    expect(built).toMatchObject({ source: "go", path: cached() });
    expect(progress.at(-1)).toMatch(/building the Temporal server with Go/);
    expect(await readFile(join(root, "go-calls"), "utf8")).toBe(
      `install github.com/temporalio/cli/cmd/temporal@v${TEMPORAL_CLI_VERSION}\n`,
    );
    expect(await provisionTemporal({ env })).toMatchObject({ source: "cache" });
    expect(await readdir(dirname(cached()))).toEqual(["temporal"]);
  });

  it("is built once for two that need it at the same time", async () => {
    await fakeGo(GOOD);
    const both = await Promise.all([provisionTemporal({ env }), provisionTemporal({ env })]);
    expect(both.map((binary) => binary.path)).toEqual([cached(), cached()]);
    expect((await readFile(join(root, "go-calls"), "utf8")).trim().split("\n")).toHaveLength(1);
  });

  it("is missing with every way and its reason, and leaves no half build behind", async () => {
    await program(onPath(), OLD);
    await program(join(root, "bin", "go"), "echo no network >&2; exit 1");
    const error: unknown = await provisionTemporal({ env }).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ type: "TemporalUnavailable" });
    const message = String(error);
    for (const part of [
      "TOWPATH_TEMPORAL_CLI: not set",
      "too old",
      "cache:",
      "download:",
      "go install: no network",
    ])
      expect(message).toContain(part);
    expect(await readdir(dirname(cached()))).toEqual([]);
  });

  it("is not kept where what Go built does not run", async () => {
    await fakeGo("exit 1");
    await expect(provisionTemporal({ env })).rejects.toThrow(/go install: .* does not run/);
    expect(await readdir(dirname(cached()))).toEqual([]);
  });

  it("is only looked for, not fetched, by findBinary", async () => {
    await fakeGo(GOOD);
    expect(await findBinary(env)).toEqual([
      expect.any(String),
      "PATH: no temporal there",
      expect.any(String),
    ]);
    await expect(readFile(join(root, "go-calls"))).rejects.toThrow(/ENOENT/);
  });
});

it.each([
  [{ TOWPATH_CACHE_DIR: "/c", XDG_CACHE_HOME: "/x", HOME: "/h" }, "/c"],
  [{ XDG_CACHE_HOME: "/x", HOME: "/h" }, "/x/towpath"],
  [{ XDG_CACHE_HOME: "relative", HOME: "/h" }, "/h/.cache/towpath"],
  [{ HOME: "/h" }, "/h/.cache/towpath"],
])("keeps what it fetches, with %j, in %s", (variables, directory) => {
  expect(cacheDirectory(variables)).toBe(directory);
});
