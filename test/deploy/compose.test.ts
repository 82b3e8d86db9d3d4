import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { anyFreePort } from "../../src/adapters/temporal/ports.js";
import { DYNAMIC_CONFIG } from "../../src/adapters/temporal/server-arguments.js";
import { type Home, makeHome } from "../support/cli.js";
import { composeCommand, composeProblem } from "../support/compose/binary.js";
import { makeImages, STAND_INS } from "../support/compose/images.js";
import { describeWithEngine } from "../support/engine.js";
import { createRepository } from "../support/repository.js";

const repository = fileURLToPath(new URL("../..", import.meta.url));
const PASSWORD = randomBytes(12).toString("hex");
/** Building everything may be part of it. */
const SET_UP_LIMIT_MS = 1_800_000;
const LIMIT = { timeout: 240_000, interval: 1_000 };

const Config = z.object({
  services: z.record(
    z.string(),
    z.object({
      image: z.string(),
      restart: z.string(),
      ports: z.array(z.object({ host_ip: z.string().optional() })).default([]),
      privileged: z.boolean().optional(),
    }),
  ),
});
const Configs = z.object({ configs: z.record(z.string(), z.object({ content: z.string() })) });

async function compose(args: readonly string[], env: Record<string, string>, reject = true) {
  const files = ["--file", join(repository, "docker-compose.yml")];
  const own = { PATH: process.env["PATH"] ?? "", HOME: tmpdir(), ...env };
  return execa(await composeCommand(), [...files, ...args], {
    env: own,
    extendEnv: false,
    reject,
    all: true,
  });
}

// In CI Go is there, and so this runs.
const describeWithCompose = composeProblem() === null || process.env["CI"] ? describe : describe.skip;

describeWithCompose("the compose file", () => {
  it("is accepted by the compose command, with pinned images, ports on loopback only, and restarts", async () => {
    const answer = await compose(["config", "--format", "json"], { TOWPATH_POSTGRES_PASSWORD: PASSWORD });
    const { services } = Config.parse(JSON.parse(answer.stdout));
    expect(Object.keys(services).sort()).toEqual([
      "namespace",
      "postgres",
      "schema",
      "temporal",
      "ui",
      "worker",
    ]);
    for (const { image, restart, ports, privileged } of Object.values(services)) {
      expect(image).toMatch(/:\d+\.\d+/);
      expect(restart).toMatch(/^(unless-stopped|on-failure:\d+)$/);
      for (const { host_ip: address } of ports) expect(address).toBe("127.0.0.1");
      expect(privileged).toBeUndefined();
    }
  }, 1_800_000);

  it("holds no secret: it asks for the password", async () => {
    const answer = await compose(["config"], {}, false);
    expect(answer.exitCode).not.toBe(0);
    expect(answer.all).toContain("TOWPATH_POSTGRES_PASSWORD");
  }, 1_800_000);

  it("sets the server as the embedded one is set", async () => {
    const { configs } = Configs.parse(parse(await readFile(join(repository, "docker-compose.yml"), "utf8")));
    const settings: unknown = parse(configs["temporal-dynamic"]?.content ?? "");
    const expected = DYNAMIC_CONFIG.map((setting) => {
      const end = setting.indexOf("=");
      return [setting.slice(0, end), [{ value: JSON.parse(setting.slice(end + 1)) }]] as const;
    });
    expect(settings).toEqual(Object.fromEntries(expected));
  });
});

const SPEC = `
version: 1
name: composed
target: next
phases:
  understand: { steps: [{ id: survey, uses: survey }] }
  guardrail: { features: [{ id: stands, description: it stands, test: "true" }] }
  migrate:
    steps:
      - id: held
        run: |
          echo done >> steps.txt
          echo run >> /sources/runs
          while [ ! -e /sources/go ]; do sleep 0.2; done
        retry: { max-attempts: 1 }
`;

const Hosts = z.object({
  hosts: z.array(
    z.object({
      hostId: z.string(),
      isHere: z.boolean(),
      record: z
        .object({ pid: z.int(), place: z.object({ machine: z.string(), dataDir: z.string() }) })
        .nullable(),
    }),
  ),
});

describeWithEngine("the compose file, brought up", () => {
  const docker = inject("engine")?.host ?? "";
  const project = `towpath-test-${randomBytes(4).toString("hex")}`;
  let directory = "";
  let env: Record<string, string> = {};
  let home: Home;

  const composed = (...args: string[]) =>
    compose(["--file", join(directory, "override.yml"), "--project-name", project, ...args], env);
  const engine = async (...args: string[]) =>
    (await execa("docker", args, { env: { DOCKER_HOST: docker } })).stdout;
  const cli = (...args: string[]) =>
    home.run(args, { TEMPORAL_ADDRESS: `127.0.0.1:${env["TOWPATH_TEMPORAL_PORT"]}` });
  const hosts = async () => {
    const { stdout, code } = await cli("hosts", "--json");
    return code === 0 ? Hosts.parse(JSON.parse(stdout)).hosts.filter(({ isHere }) => isHere) : [];
  };
  const statusOf = async (id: string) => {
    const { stdout } = await cli("status", id, "--json");
    return z.object({ status: z.string().optional() }).parse(JSON.parse(stdout)).status;
  };

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "towpath-compose-"));
    home = await makeHome("own");
    await makeImages(docker);
    const sources = join(directory, "sources");
    await mkdir(sources);
    const work = await createRepository(join(directory, "work"), { "steps.txt": "" });
    await execa("git", ["clone", "--quiet", "--bare", work.path, join(sources, "project.git")]);
    // The worker's user; git refuses a repository of somebody else's.
    await execa("chown", ["-R", "1000:1000", sources]);
    const volumes = [{ type: "bind", source: sources, target: "/sources" }];
    const services = { worker: { volumes } };
    await writeFile(join(directory, "override.yml"), JSON.stringify({ services }));
    env = {
      ...STAND_INS,
      DOCKER_HOST: docker,
      TOWPATH_POSTGRES_PASSWORD: PASSWORD,
      TOWPATH_TEMPORAL_PORT: String(await anyFreePort()),
      TOWPATH_UI_PORT: String(await anyFreePort()),
      TOWPATH_HISTORY_SHARDS: "4",
    };
    await composed("up", "--detach", "--no-build", "--pull=never", "--scale=worker=2");
  }, SET_UP_LIMIT_MS);

  afterAll(async () => {
    if (env["DOCKER_HOST"] !== undefined) await composed("down", "--volumes", "--timeout=5");
    await home?.remove();
    await rm(directory, { recursive: true, force: true });
  }, 300_000);

  it("has healthy workers, each a host with a data directory of its own", async () => {
    await expect.poll(hosts, LIMIT).toHaveLength(2);
    const directories = (await hosts()).map(({ record }) => record?.place.dataDir);
    expect(new Set(directories)).toEqual(new Set(["/data/1", "/data/2"]));
    const health = async () =>
      Promise.all(
        (await hosts()).map(({ record }) =>
          engine(
            "inspect",
            "--format={{.State.Health.Status}} {{.Config.User}}",
            record?.place.machine ?? "",
          ),
        ),
      );
    await expect.poll(health, LIMIT).toEqual(["healthy 1000:1000", "healthy 1000:1000"]);
    const ui = await fetch(`http://127.0.0.1:${env["TOWPATH_UI_PORT"]}/`);
    expect(ui.status).toBe(200);
  }, 300_000);

  it("completes a migration that was started from outside, though the worker that holds it is killed", async () => {
    const spec = join(directory, "towpath.yaml");
    await writeFile(spec, SPEC);
    const source = "file:///sources/project.git";
    const started = await cli("start", source, "--spec", spec, "--allow-host", "--json");
    expect(started).toMatchObject({ code: 0 });
    const { id, host } = z.object({ id: z.string(), host: z.string() }).parse(JSON.parse(started.stdout));
    const runs = join(directory, "sources", "runs");
    await expect.poll(() => readFile(runs, "utf8").catch(() => ""), LIMIT).toBe("run\n");

    const holder = (await hosts()).find(({ hostId }) => hostId === host);
    const { machine = "" } = holder?.record?.place ?? {};
    await engine("exec", "--user=0", machine, "kill", "-9", String(holder?.record?.pid));
    await expect.poll(() => engine("inspect", "--format={{.RestartCount}}", machine), LIMIT).toBe("1");
    await expect.poll(() => readFile(runs, "utf8"), LIMIT).toBe("run\nrun\n");
    await writeFile(join(directory, "sources", "go"), "");
    await expect.poll(() => statusOf(id), LIMIT).toBe("completed");
    const bare = join(directory, "sources", "project.git");
    const git = ["-c", "safe.directory=*", "--git-dir", bare];
    const { stdout } = await execa("git", [...git, "show", `towpath/${id}:steps.txt`]);
    expect(stdout).toBe("done");
    expect((await hosts()).map(({ hostId }) => hostId)).toContain(host);
  }, 600_000);

  it("keeps its hosts and migrations when all of it is made anew", async () => {
    const before = (await hosts()).map(({ hostId }) => hostId).sort();
    await composed("down", "--timeout=20");
    await composed("up", "--detach", "--no-build", "--pull=never", "--scale=worker=2");
    await expect.poll(async () => (await hosts()).map(({ hostId }) => hostId).sort(), LIMIT).toEqual(before);
    expect((await cli("list")).stdout).toContain("completed");
  }, 600_000);
});
