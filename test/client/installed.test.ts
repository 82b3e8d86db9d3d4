import { existsSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { once } from "node:events";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { embeddedStatus, ensureEmbedded } from "../../src/adapters/temporal/embedded.js";
import { rememberPorts } from "../../src/adapters/temporal/embedded-state.js";
import { anyFreePort } from "../../src/adapters/temporal/ports.js";
import { COMMANDS } from "../../src/client/commands.js";
import { workerStatus } from "../../src/worker/background.js";
import { makeHome, type Home } from "../support/cli.js";

let home: Home;
beforeEach(async () => {
  home = await makeHome();
  await rememberPorts(home.dataDir, { grpc: await anyFreePort(), ui: await anyFreePort() });
});
afterEach(() => home.remove());

describe("towpath --help", () => {
  it("lists every command", async () => {
    const { code, stdout } = await home.run(["--help"]);
    expect(code).toBe(0);
    const shown = COMMANDS.filter(({ hidden }) => hidden !== true);
    for (const { name } of shown) expect(stdout).toMatch(new RegExp(`^  ${name.split(" ")[0]}\\b`, "m"));
  });

  it("is quick", async () => {
    const times: number[] = [];
    for (let round = 0; round < 5; round += 1) {
      const start = performance.now();
      await home.run(["--help"]);
      times.push(performance.now() - start);
    }
    // 80 ms on an idle machine; the bound leaves room for a busy one and yet catches one heavy import.
    expect(Math.min(...times)).toBeLessThan(250);
  });
});

it("ends without a complaint when its reader goes away", async () => {
  const child = home.spawn(["--help"]);
  child.stdout?.destroy();
  let complaint = "";
  child.stderr?.setEncoding("utf8").on("data", (chunk: string) => {
    complaint += chunk;
  });
  const [code] = await once(child, "exit");
  expect([code, complaint]).toEqual([0, ""]);
});

describe("up", () => {
  it("gives one server and one worker to processes that ask at the same time, and down leaves neither", async () => {
    const answers = await Promise.all([1, 2, 3].map(() => home.run(["up", "--json"])));
    const parsed = answers.map(({ stdout }) => JSON.parse(stdout));
    expect(answers.map(({ code }) => code)).toEqual([0, 0, 0]);
    expect(new Set(parsed.map(({ server }) => server.pid)).size).toBe(1);
    expect(new Set(parsed.map(({ worker }) => worker.pid)).size).toBe(1);

    const down = await home.run(["down"]);
    expect(down.stdout).toMatch(/worker stopped.*server stopped.*go on at the next `towpath up`/s);
    expect(await workerStatus(home.dataDir)).toBeNull();
    expect((await embeddedStatus(home.dataDir)).state).toBeNull();
    expect((await home.run(["down"])).stdout).toBe("Nothing runs.\n");
  });

  it("starts no server where one is configured, only the worker", async () => {
    const elsewhere = await makeHome();
    try {
      await rememberPorts(elsewhere.dataDir, { grpc: await anyFreePort(), ui: await anyFreePort() });
      const server = await ensureEmbedded({ dataDir: elsewhere.dataDir, env: process.env });
      const configured = { TEMPORAL_ADDRESS: server.address, TOWPATH_DATA_DIR: join(home.dataDir, "fresh") };
      const answer = await home.run(["up", "--json"], configured);
      expect(JSON.parse(answer.stdout)).toMatchObject({
        temporal: { address: server.address, embedded: false },
        server: null,
        worker: { reused: false },
      });
      expect(existsSync(join(configured.TOWPATH_DATA_DIR, "server"))).toBe(false);
      await home.run(["down"], configured);
    } finally {
      await elsewhere.remove();
    }
  });

  it.each([
    ["nobody there", async () => `127.0.0.1:${await anyFreePort()}`],
    ["a name that does not exist", async () => "temporal.invalid:7233"],
  ])("ends with 6 when the configured Temporal is %s, and names it", async (_, address) => {
    const TEMPORAL_ADDRESS = await address();
    const answer = await home.run(["up", "--json"], {
      TEMPORAL_ADDRESS,
      TEMPORAL_API_KEY: "canary-77",
      TEMPORAL_TLS: "false",
    });
    expect(answer.code).toBe(6);
    expect(JSON.parse(answer.stdout)).toMatchObject({ error: { type: "TemporalUnreachable" } });
    expect(answer.stdout).toContain(TEMPORAL_ADDRESS);
    expect(answer.stdout + answer.stderr).not.toContain("canary-77");
  });

  it("ends with 6 when there is no way to a server, and lists the ways", async () => {
    const nothing = { TOWPATH_TEMPORAL_CLI: "/nonexistent/temporal" };
    const answer = await home.run(["up"], nothing);
    expect(answer.code).toBe(6);
    expect(answer.stderr).toMatch(/^error: TOWPATH_TEMPORAL_CLI does not name a usable Temporal CLI/m);
  });
});

describe("doctor", () => {
  it("finds a fresh machine well, starting nothing", async () => {
    const { code, stdout } = await home.run(["doctor", "--json"], {
      DOCKER_HOST: "unix:///nonexistent.sock",
    });
    expect(code).toBe(0);
    const subjects = JSON.parse(stdout).findings.map(({ subject, level }: Record<string, string>) => [
      subject,
      level,
    ]);
    expect(subjects).toEqual([
      ["towpath", "ok"],
      ["node", "ok"],
      ["git", "ok"],
      ["engine", "warn"],
      ["data", expect.stringMatching(/ok|warn/)],
      ["host", "ok"],
      ["temporal", "ok"],
      ["server", "ok"],
      ["worker", "ok"],
    ]);
    expect((await embeddedStatus(home.dataDir)).state).toBeNull();
  });

  it("asks the engine that DOCKER_HOST names", async () => {
    const engine = createServer((_request, response) => response.setHeader("api-version", "1.43").end("OK"));
    await new Promise<void>((resolve) => {
      engine.listen(0, "127.0.0.1", resolve);
    });
    const bound = engine.address();
    const port = typeof bound === "object" && bound !== null ? bound.port : 0;
    const { stdout } = await home.run(["doctor"], { DOCKER_HOST: `tcp://127.0.0.1:${port}` });
    engine.close();
    expect(stdout).toMatch(/^ok {4}engine .*API 1\.43/m);
  });

  it.each([
    ["git", { PATH: "/nonexistent" }],
    ["data", { TOWPATH_DATA_DIR: "/dev/null/towpath" }],
    ["temporal", { TOWPATH_TEMPORAL_CLI: "/nonexistent/temporal" }],
    ["temporal", { TEMPORAL_ADDRESS: "127.0.0.1:9" }],
  ])("ends with 1 when %s fails under %j", async (subject, env) => {
    const { code, stdout } = await home.run(["doctor"], env);
    expect(code).toBe(1);
    expect(stdout).toMatch(new RegExp(`^fail  ${subject} `, "m"));
  });
});
