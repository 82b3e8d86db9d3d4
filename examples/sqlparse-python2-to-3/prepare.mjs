#!/usr/bin/env node
// Makes the git repository that the example migrates: sqlparse 0.1.11 as PyPI has it, and on top of it the
// migration (spec and tools). The content, authors and dates are fixed, and so the commit ids are.
//
//   node prepare.mjs DIRECTORY
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const PACKAGE = "sqlparse==0.1.11";
const SHA256 = "4355f38d0fd620a6f2c45a9cfe822988a379d3d097bb47bf009e9eb5b323ed1e";
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

/** Downloads the published sdist and unpacks it, if it is the one that this example was made for. */
function unpackPublished(scratch, repository) {
  // pip asks the sdist for its metadata, and its setup.py needs a setuptools that still knows `use_2to3`.
  const constraints = join(scratch, "constraints.txt");
  writeFileSync(constraints, "setuptools<58\n");
  const args = [
    "-m",
    "pip",
    "download",
    "--quiet",
    "--no-deps",
    "--no-binary",
    ":all:",
    "--dest",
    scratch,
    PACKAGE,
  ];
  const env = { ...process.env, PIP_CONSTRAINT: constraints, PIP_DISABLE_PIP_VERSION_CHECK: "1" };
  execFileSync("python3", args, { stdio: "pipe", env });
  const sdist = join(scratch, `${PACKAGE.replace("==", "-")}.tar.gz`);
  const digest = createHash("sha256").update(readFileSync(sdist)).digest("hex");
  if (digest !== SHA256) {
    throw new Error(`The registry's ${PACKAGE} is not the published one: ${digest}, expected ${SHA256}`);
  }
  mkdirSync(repository);
  execFileSync("tar", ["-xzf", sdist, "-C", repository, "--strip-components=1", "--no-same-owner"]);
}

function addMigration(repository) {
  cpSync(join(example, "towpath.yaml"), join(repository, "towpath.yaml"));
  cpSync(join(example, "migration"), join(repository, "migration"), {
    recursive: true,
    filter: (path) => basename(path) !== "__pycache__",
  });
}

function buildRepository(scratch) {
  const repository = join(scratch, "repository");
  unpackPublished(scratch, repository);
  git(repository, "init", "--quiet", "--initial-branch=main", "--object-format=sha1", "--template=");
  commitAll(repository, `${PACKAGE} as published on PyPI`);
  addMigration(repository);
  commitAll(repository, "Add the migration to Python 3");
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
  const scratch = mkdtempSync(join(dirname(directory), ".sqlparse-"));
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
