// From a fresh clone to a verified branch: migrates minimist 1.2.0 from tape to Jest, and says what to look at.
// Uses the data directory of the `towpath` command, so that everything it names stays reachable afterwards.
import { execFileSync, spawn } from "node:child_process";
import { existsSync, readdirSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const cli = join(root, "bin", "towpath.js");
const dataDir = resolve(process.env.TOWPATH_DATA_DIR || join(homedir(), ".towpath"));
const source = join(dataDir, "demo", "minimist");

/** Something that keeps the demo from succeeding; its message is for the person who runs it. */
class DemoFailed extends Error {}

function say(text) {
  console.log(`\n${text}`);
}

/** Resolves to the exit code of a child, or the name of the signal that ended it. */
function ended(child) {
  return new Promise((done, fail) => {
    child.on("error", fail);
    child.on("close", (code, signal) => done(code ?? signal));
  });
}

async function runScript(...args) {
  const code = await ended(spawn(process.execPath, args, { cwd: root, stdio: "inherit" }));
  if (code !== 0) throw new DemoFailed(`${args[0]} failed (${code}); what it wrote above says why.`);
}

function newestChange(path) {
  const entry = statSync(path);
  if (!entry.isDirectory()) return entry.mtimeMs;
  return readdirSync(path).reduce((newest, name) => Math.max(newest, newestChange(join(path, name))), 0);
}

/** The bundle is the last thing that a build writes. */
function isBuilt() {
  const bundle = join(root, "dist", "workflow-bundle.js");
  if (!existsSync(bundle)) return false;
  const inputs = ["src", "package-lock.json", "tsconfig.json", "tsconfig.build.json"];
  return inputs.every((input) => newestChange(join(root, input)) < statSync(bundle).mtimeMs);
}

async function build() {
  if (!existsSync(join(root, "node_modules", "@temporalio", "worker"))) {
    throw new DemoFailed("Towpath's dependencies are not installed: run `npm ci` first.");
  }
  if (isBuilt()) return;
  say("Building Towpath");
  await runScript(join(root, "scripts", "build.mjs"));
}

function git(...args) {
  const env = { ...process.env, GIT_OPTIONAL_LOCKS: "0" };
  return execFileSync("git", args, { cwd: source, encoding: "utf8", env }).trim();
}

/** The project's requirements document lies in a directory that ignores itself: it is Towpath's to write. */
function withoutTowpath(status) {
  return status.split("\n").filter((line) => !line.startsWith("!! .towpath/"));
}

/** What a migration must leave alone: where the checkout stands, every file in it, and the stash. */
function checkoutState() {
  return {
    HEAD: git("rev-parse", "HEAD"),
    branch: git("symbolic-ref", "HEAD"),
    "git status": withoutTowpath(git("status", "--porcelain", "--untracked-files=all", "--ignored")).join(
      "\n",
    ),
    stash: git("stash", "list"),
  };
}

function requireUnchanged(before) {
  const after = checkoutState();
  const changed = Object.keys(before).filter((key) => before[key] !== after[key]);
  if (changed.length > 0) throw new DemoFailed(`The source checkout was changed: ${changed.join(", ")}.`);
}

/**
 * Starts the migration and tells what happens in it, until it ends or needs a person.
 * @returns its id, and the address of its page in the Web UI or null
 */
async function migrate() {
  const args = [cli, "start", source, "--allow-host", "--wait", "--json"];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  const exit = ended(child);
  let started = null;
  let waits = false;
  const answer = [];
  for await (const line of createInterface({ input: child.stdout })) {
    // First what was started and then what happens, a line each; at the end the answer, on one line or many.
    const event = line.startsWith("{") && line.endsWith("}") ? JSON.parse(line) : {};
    if (event.event !== undefined) console.log(`  ${event.event}`);
    else if (started === null && event.id !== undefined) started = event;
    else answer.push(line);
    if (event.status === "waiting" && !waits) {
      waits = true;
      // What it waits for comes in several lines at once; then nothing more will happen by itself.
      void delay(1000).then(() => child.kill("SIGINT"));
    }
  }
  const code = await exit;
  if (waits) throw new DemoFailed("The migration waits for a person; nothing in this demo should need one.");
  if (code !== 0 || started === null) {
    throw new DemoFailed(`The migration did not complete (${code}).\n${answer.join("\n")}`);
  }
  return { id: started.id, link: started.link };
}

function report({ id, link }, base) {
  const branch = `towpath/${id}`;
  const verification = join(dataDir, "migrations", id, "docs", "verification-report.md");
  if (!existsSync(verification)) throw new DemoFailed(`There is no verification report at ${verification}.`);
  const commits = git("log", "--reverse", "--format=  %h %s", `${base}..${branch}`);
  if (commits === "") throw new DemoFailed(`The branch ${branch} has no commits.`);
  say(`minimist's tests are Jest tests now, on a branch of their own in ${source}:`);
  console.log(`  ${commits.trim()}`);
  say("Look at");
  console.log(`  branch        ${branch}`);
  console.log(`  diff          git -C ${source} diff ${base.slice(0, 10)} ${branch} -- test package.json`);
  console.log(`  Web UI        ${link ?? "the UI of your Temporal server, workflow " + id}`);
  console.log(`  verification  ${verification}`);
  say(
    "The source checkout is as it was: HEAD, branch, files and stash. New is .towpath/, which ignores itself:",
  );
  console.log("the project's requirements document, kept for the next migration.");
  console.log(`The server and the worker stay in the background, for the Web UI: node ${cli} down`);
}

async function main() {
  await build();
  say("Preparing the repository");
  await runScript(join(root, "examples", "minimist-tape-to-jest", "prepare.mjs"), source);
  const before = checkoutState();
  say("Migrating (about a minute)");
  const migration = await migrate();
  requireUnchanged(before);
  report(migration, before.HEAD);
}

try {
  await main();
} catch (error) {
  if (!(error instanceof DemoFailed)) throw error;
  console.error(`\nThe demo failed: ${error.message}`);
  process.exitCode = 1;
}
