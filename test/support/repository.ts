import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { execa } from "execa";

/** A git repository of a test's own, with one commit of the given files. */
export interface TestRepository {
  readonly path: string;
  git(...args: string[]): Promise<string>;
  write(files: Readonly<Record<string, string>>): Promise<void>;
  /** Everything of the user's that a migration must leave alone, byte for byte. */
  snapshot(): Promise<string>;
}

/** A directory that is removed when the test is over. */
export async function temporaryDirectory(cleanups: (() => Promise<void>)[]): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "towpath-e2e-"));
  cleanups.push(() => rm(path, { recursive: true, force: true }));
  return path;
}

/** The project's requirements document lies there, ignored: it is Towpath's to write. */
function withoutTowpath(status: string): string {
  return status
    .split("\n")
    .filter((line) => !line.startsWith("! .towpath/"))
    .join("\n");
}

/** Makes a repository in `path`. */
export async function createRepository(
  path: string,
  files: Readonly<Record<string, string>>,
): Promise<TestRepository> {
  const git = async (...args: string[]): Promise<string> => {
    const identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"];
    const { stdout } = await execa("git", [...identity, ...args], { cwd: path });
    return stdout;
  };
  const write = async (written: Readonly<Record<string, string>>): Promise<void> => {
    for (const [name, text] of Object.entries(written)) {
      await mkdir(dirname(join(path, name)), { recursive: true });
      await writeFile(join(path, name), text);
    }
  };
  await mkdir(path, { recursive: true });
  await git("init", "--quiet", "--initial-branch=main");
  await write(files);
  await git("add", "--all");
  await git("commit", "--quiet", "--message=first");
  const snapshot = async (): Promise<string> =>
    [
      await git("rev-parse", "HEAD"),
      await git("symbolic-ref", "HEAD"),
      await git("for-each-ref", "--format=%(refname) %(objectname)", "refs/heads/main", "refs/stash"),
      withoutTowpath(await git("status", "--porcelain=v2", "--untracked-files=all", "--ignored")),
      await git("diff"),
      await git("ls-files", "--stage", "--debug"),
      await git("stash", "list"),
      await git("config", "--local", "--list"),
    ].join("\n---\n");
  return { path, git, write, snapshot };
}
