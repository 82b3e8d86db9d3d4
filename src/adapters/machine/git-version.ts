import { execFile } from "node:child_process";
import { promisify } from "node:util";

const run = promisify(execFile);

/** The version of the git on PATH (`2.39.5`), or null where there is none that answers. */
export async function gitVersion(env: Readonly<Record<string, string | undefined>>): Promise<string | null> {
  try {
    const { stdout } = await run("git", ["--version"], { env: { PATH: env.PATH }, timeout: 10_000 });
    return /git version (\d+(?:\.\d+)+)/.exec(stdout)?.[1] ?? null;
  } catch (error) {
    // Not there, not executable, or not git at all: in each case no version.
    if (error instanceof Error && "code" in error) return null;
    throw error;
  }
}
