import { realpath, stat } from "node:fs/promises";
import { dirname, relative, sep } from "node:path";
import { TowpathError } from "../../model/errors.js";
import { repositoryPlace, type Repository, type Worktree } from "./places.js";
import { baseEnvironment, gitText, runGit, shortened, type GitPlace } from "./run.js";
import { isMissing } from "../../model/system-errors.js";

export interface Identity {
  readonly name: string;
  readonly email: string;
}

/**
 * Finds the repository that holds `path`, which may be a folder of a monorepo, a linked worktree or a submodule.
 * @throws TowpathError `NotARepository` for anything that has no checkout of its own
 */
export async function openRepository(path: string, signal?: AbortSignal): Promise<Repository> {
  const directory = await existingDirectory(path);
  const answer = await runGit(
    { cwd: directory, env: baseEnvironment() },
    [
      "rev-parse",
      "--path-format=absolute",
      "--is-inside-work-tree",
      "--git-dir",
      "--git-common-dir",
      "--show-toplevel",
    ],
    { signal, accept: [0, 128] },
  );
  const lines = answer.stdout.toString("utf8").split("\n");
  if (answer.exitCode !== 0 || lines[0] !== "true") throw notARepository(directory, lines[0], answer.stderr);
  const [, gitDir, commonDir, root, rest] = lines;
  if (gitDir === undefined || commonDir === undefined || root === undefined || rest !== "") {
    throw new TowpathError("NotARepository", `${directory}: paths with a newline in them are not supported`);
  }
  return { root, gitDir, commonDir, prefix: relative(root, directory).split(sep).join("/") };
}

/**
 * The full id of the commit that `ref` names; `HEAD` is that of the user's checkout.
 * @throws TowpathError `NotARepository` when there is no commit yet, `Usage` when the name means nothing
 */
export async function resolveCommit(repo: Repository, ref: string, signal?: AbortSignal): Promise<string> {
  const place = repositoryPlace(repo);
  const commit = await findCommit(place, ref, signal);
  if (commit !== null) return commit;
  if ((await findCommit(place, "HEAD", signal)) === null) {
    throw new TowpathError(
      "NotARepository",
      `${repo.root} has no commit yet: a migration starts from one. Commit something first.`,
    );
  }
  throw new TowpathError(
    "Usage",
    `'${ref}' names no commit in ${repo.root}: give a branch, a tag or a commit id`,
  );
}

/** The id of a commit's tree. */
export async function treeOf(
  repo: Repository | Worktree,
  commit: string,
  signal?: AbortSignal,
): Promise<string> {
  return gitText(repositoryPlace(repo), ["rev-parse", "--verify", "--end-of-options", `${commit}^{tree}`], {
    signal,
  });
}

/**
 * The name and address that the user commits with, or undefined where either is unset. The one call that reads the
 * user's own configuration.
 */
export async function userIdentity(path: string, signal?: AbortSignal): Promise<Identity | undefined> {
  const env: Record<string, string> = {};
  for (const [name, value] of Object.entries(process.env)) {
    const isUsersConfiguration = name.startsWith("GIT_CONFIG") || !name.startsWith("GIT_");
    if (value !== undefined && isUsersConfiguration) env[name] = value;
  }
  const args = ["config", "-z", "--get-regexp", "^user\\.(name|email)$"];
  const { stdout } = await runGit({ cwd: path, env }, args, { signal, accept: [0, 1] });
  const values = new Map<string, string>();
  for (const record of stdout.toString("utf8").split("\0")) {
    const newline = record.indexOf("\n");
    if (newline > 0) values.set(record.slice(0, newline), record.slice(newline + 1));
  }
  const name = values.get("user.name");
  const email = values.get("user.email");
  return name && email ? { name, email } : undefined;
}

/** The commit that a name stands for, or null. */
export async function findCommit(place: GitPlace, ref: string, signal?: AbortSignal): Promise<string | null> {
  const args = ["rev-parse", "--verify", "--quiet", "--end-of-options", `${ref}^{commit}`];
  const { exitCode, stdout } = await runGit(place, args, { signal, accept: [0, 1, 128] });
  return exitCode === 0 ? stdout.toString("utf8").trim() : null;
}

async function existingDirectory(path: string): Promise<string> {
  try {
    const real = await realpath(path);
    return (await stat(real)).isDirectory() ? real : dirname(real);
  } catch (error) {
    if (!isMissing(error)) throw error;
    throw new TowpathError("NotARepository", `${path} does not exist: give the directory of the codebase`);
  }
}

function notARepository(path: string, insideWorkTree: string | undefined, stderr: string): TowpathError {
  if (stderr.includes("dubious ownership")) {
    return new TowpathError(
      "NotARepository",
      `${path} belongs to another user, and git refuses to use it: run Towpath as its owner, or make the repository your own (chown -R). ` +
        "Towpath does not read safe.directory from your configuration.",
    );
  }
  if (stderr.includes("not a git repository")) {
    return new TowpathError(
      "NotARepository",
      `${path} is not in a git repository: run 'git init' and commit the codebase first`,
    );
  }
  if (insideWorkTree === "false") {
    return new TowpathError(
      "NotARepository",
      `${path} is a bare repository or inside a git directory: give the path of a checkout`,
    );
  }
  return new TowpathError("NotARepository", `git cannot use the repository at ${path}: ${shortened(stderr)}`);
}
