#!/usr/bin/env node
// Makes the git repository that the example migrates: minimist 1.2.0 as npm has it, and on top of it its dependency
// lock and the migration (spec and tools). The content, authors and dates are fixed, and so the commit ids are.
//
//   node prepare.mjs DIRECTORY
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const PACKAGE = "minimist@1.2.0";
const INTEGRITY =
  "sha512-7Wl+Jz+IGWuSdgsQEJ4JunV0si/iMhg42MnQQG6h1R6TNeVenp4U9x5CC5v/gYqz/fENLQITAWXidNtVL0NNbw==";
const example = fileURLToPath(new URL(".", import.meta.url));

/** The user's own git configuration (signing, hooks, line endings) must not change the commits. */
function gitEnvironment() {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith("GIT_"));
  return {
    ...Object.fromEntries(inherited),
    GIT_CONFIG_GLOBAL: "/dev/null",
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_AUTHOR_NAME: "Towpath example",
    GIT_AUTHOR_EMAIL: "example@towpath.invalid",
    GIT_COMMITTER_NAME: "Towpath example",
    GIT_COMMITTER_EMAIL: "example@towpath.invalid",
    GIT_AUTHOR_DATE: "2026-01-01T00:00:00Z",
    GIT_COMMITTER_DATE: "2026-01-01T00:00:00Z",
  };
}

function git(directory, ...args) {
  return execFileSync("git", args, { cwd: directory, env: gitEnvironment(), encoding: "utf8" }).trim();
}

function commitAll(directory, message) {
  git(directory, "add", "--all", "--force");
  git(directory, "commit", "--quiet", "--message", message);
}

/** Downloads the published tarball and unpacks it, if it is the one that this example was made for. */
function unpackPublished(scratch, repository) {
  execFileSync("npm", ["pack", PACKAGE, "--silent", "--pack-destination", scratch], { stdio: "pipe" });
  const tarball = join(scratch, `${PACKAGE.replace("@", "-")}.tgz`);
  const integrity = `sha512-${createHash("sha512").update(readFileSync(tarball)).digest("base64")}`;
  if (integrity !== INTEGRITY) {
    throw new Error(
      `The registry's ${PACKAGE} is not the published one: ${integrity}, expected ${INTEGRITY}`,
    );
  }
  mkdirSync(repository);
  execFileSync("tar", ["-xzf", tarball, "-C", repository, "--strip-components=1", "--no-same-owner"]);
}

function addMigration(repository) {
  cpSync(join(example, "minimist", "package-lock.json"), join(repository, "package-lock.json"));
  cpSync(join(example, "towpath.yaml"), join(repository, "towpath.yaml"));
  cpSync(join(example, "migration"), join(repository, "migration"), {
    recursive: true,
    filter: (path) => basename(path) !== "node_modules",
  });
}

function buildRepository(scratch) {
  const repository = join(scratch, "repository");
  unpackPublished(scratch, repository);
  git(repository, "init", "--quiet", "--initial-branch=main", "--object-format=sha1", "--template=");
  commitAll(repository, `${PACKAGE} as published on npm`);
  addMigration(repository);
  commitAll(repository, "Add the dependency lock and the migration to Jest");
  return repository;
}

/** True when `directory` is already what this script would make, untouched. */
function isPrepared(directory, head) {
  return (
    existsSync(join(directory, ".git")) &&
    git(directory, "rev-parse", "HEAD") === head &&
    git(directory, "status", "--porcelain") === ""
  );
}

function main(target) {
  if (target === undefined) throw new Error("Usage: node prepare.mjs DIRECTORY");
  const directory = resolve(target);
  mkdirSync(dirname(directory), { recursive: true });
  const scratch = mkdtempSync(join(dirname(directory), ".minimist-"));
  try {
    const repository = buildRepository(scratch);
    if (!existsSync(directory)) renameSync(repository, directory);
    else if (!isPrepared(directory, git(repository, "rev-parse", "HEAD"))) {
      throw new Error(
        `${directory} exists and is not this example's repository, or was changed. Remove it or name another.`,
      );
    }
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  console.log(`${directory} holds ${PACKAGE} at ${git(directory, "rev-parse", "--short", "HEAD")}`);
}

try {
  main(process.argv[2]);
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
