// Runs a command with a container engine and a registry that the tests may use, and ends both with it:
//
//   node scripts/test-engine.mjs npm test
//
// An engine that answers already (DOCKER_HOST, or the usual socket) is used as it is. Else dockerd is started with data,
// execution state and socket of its own, which needs root. Without either the command runs all the same; the tests
// say what they skip, and fail under CI.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

const START_LIMIT_MS = 30_000;
const STOP_LIMIT_MS = 20_000;

/** From what production looks like to what runs nearly everywhere; a bridge would take docker0 from another engine. */
const ENGINE_SETTINGS = [
  ["--storage-driver=overlay2", "--bridge=none", "--iptables=false"],
  ["--storage-driver=vfs", "--bridge=none", "--iptables=false"],
];

const [program, ...args] = process.argv.slice(2);
if (program === undefined) {
  console.error("usage: node scripts/test-engine.mjs <command> [arguments...]");
  process.exit(2);
}

const directory = mkdtempSync(join(tmpdir(), "towpath-engine-"));
const started = [];
try {
  process.exitCode = await runCommand({ ...process.env, ...(await services()) });
} finally {
  for (const child of started.reverse()) await end(child);
  unmountBelow(directory);
  rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
}

async function services() {
  const host = await engine();
  const registry = host === null ? null : await startRegistry();
  return {
    ...(host === null ? {} : { TOWPATH_TEST_DOCKER_HOST: host }),
    ...(registry === null ? {} : { TOWPATH_TEST_REGISTRY: registry }),
  };
}

async function engine() {
  const known = process.env.DOCKER_HOST || "unix:///var/run/docker.sock";
  if (!known.startsWith("unix://") || (await answers(known.slice("unix://".length)))) return known;
  if (!onPath("dockerd") || process.getuid?.() !== 0) return null;
  for (const [index, settings] of ENGINE_SETTINGS.entries()) {
    const host = await startEngine(join(directory, `engine-${index}`), settings);
    if (host !== null) return host;
  }
  console.error("test-engine: dockerd does not run here; its last words:");
  console.error(lastLines(join(directory, `engine-${ENGINE_SETTINGS.length - 1}`, "log"), 10));
  return null;
}

async function startEngine(home, settings) {
  mkdirSync(home);
  const socket = join(home, "docker.sock");
  const child = start(join(home, "log"), "dockerd", [
    ...settings,
    `--data-root=${join(home, "data")}`,
    `--exec-root=${join(home, "exec")}`,
    `--pidfile=${join(home, "docker.pid")}`,
    `--host=unix://${socket}`,
    "--insecure-registry=localhost:5000",
  ]);
  if (await becomesTrue(child, () => answers(socket))) return `unix://${socket}`;
  await end(child);
  started.splice(started.indexOf(child), 1);
  return null;
}

async function startRegistry() {
  if (!onPath("docker-registry")) return null;
  const port = await freePort();
  const config = join(directory, "registry.json");
  writeFileSync(
    config,
    JSON.stringify({
      version: 0.1,
      log: { level: "error" },
      storage: { filesystem: { rootdirectory: join(directory, "registry") }, delete: { enabled: true } },
      http: { addr: `127.0.0.1:${port}` },
    }),
  );
  const child = start(join(directory, "registry.log"), "docker-registry", ["serve", config]);
  const ready = await becomesTrue(child, () => answers({ host: "127.0.0.1", port }, "/v2/"));
  return ready ? `localhost:${port}` : null;
}

function start(log, command, commandArgs) {
  const child = spawn("sh", ["-c", 'exec "$@" >"$0" 2>&1', log, command, ...commandArgs], {
    stdio: "ignore",
  });
  child.ended = new Promise((done) => child.once("exit", done));
  started.push(child);
  return child;
}

async function end(child) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill("SIGTERM");
  const late = delay(STOP_LIMIT_MS, "late", { ref: false });
  if ((await Promise.race([child.ended, late])) === "late") {
    child.kill("SIGKILL");
    await child.ended;
  }
}

/** A dockerd that was killed leaves its mounts; removing through them would delete what they show. */
function unmountBelow(path) {
  if (!existsSync("/proc/self/mounts")) return;
  const mounts = readFileSync("/proc/self/mounts", "utf8")
    .split("\n")
    .map((line) => line.split(" ")[1] ?? "")
    .filter((mount) => mount.startsWith(`${path}/`));
  for (const mount of mounts.reverse()) spawnSync("umount", ["--lazy", mount]);
}

function runCommand(env) {
  return new Promise((done, fail) => {
    const child = spawn(program, args, { env, stdio: "inherit" });
    for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => child.kill(signal));
    child.once("error", fail);
    child.once("exit", (code) => done(code ?? 1));
  });
}

async function becomesTrue(child, condition) {
  const deadline = Date.now() + START_LIMIT_MS;
  while (Date.now() < deadline && child.exitCode === null && child.signalCode === null) {
    if (await condition()) return true;
    await delay(100);
  }
  return false;
}

function answers(where, path = "/_ping") {
  const target = typeof where === "string" ? { socketPath: where } : where;
  return new Promise((done) => {
    const asked = request({ ...target, path, timeout: 2_000 }, (response) => {
      response.resume();
      done(response.statusCode === 200);
    });
    asked.once("timeout", () => asked.destroy());
    asked.once("error", () => done(false));
    asked.end();
  });
}

function freePort() {
  return new Promise((done) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => done(port));
    });
  });
}

function onPath(name) {
  return (process.env.PATH ?? "").split(":").some((entry) => entry !== "" && existsSync(join(entry, name)));
}

function lastLines(path, count) {
  return existsSync(path) ? readFileSync(path, "utf8").trimEnd().split("\n").slice(-count).join("\n") : "";
}
