import { baseEnvironment, runGit } from "./run.js";

/**
 * The difference between two files, of which neither need be in a repository, as a patch for people; "" where they are the same.
 * @param directory where both lie; the names are relative to it
 * @throws TowpathError `GitFailed`
 */
export async function diffFiles(
  directory: string,
  from: string,
  to: string,
  signal?: AbortSignal,
): Promise<string> {
  const options = ["--no-index", "--text", "--no-ext-diff", "--no-textconv", "--no-color", "--patch"];
  const { stdout } = await runGit(
    { cwd: directory, env: { ...baseEnvironment(), GIT_DIR: "/dev/null" } },
    ["diff", ...options, "--", from, to],
    { signal, accept: [0, 1], maxBytes: 4 * 1024 * 1024 },
  );
  return stdout.toString("utf8");
}
