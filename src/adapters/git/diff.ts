import { repositoryPlace, type Repository, type Worktree } from "./places.js";
import { runGit } from "./run.js";

export interface DiffRequest {
  readonly repo: Repository | Worktree;
  readonly from: string;
  readonly to: string;
  /** Literal paths relative to the top; default: all. */
  readonly paths?: readonly string[] | undefined;
  /** Where to stop; default 4 MiB. */
  readonly maxBytes?: number | undefined;
  /** A summary of files and line counts instead of the patch. */
  readonly stat?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

const DEFAULT_MAX_BYTES = 4 * 1024 * 1024;

/** The difference between two commits as text for people; `truncated` when it was cut, at the end of a line. */
export async function diff(
  request: DiffRequest,
): Promise<{ readonly text: string; readonly truncated: boolean }> {
  const { repo, from, to, paths = [], maxBytes = DEFAULT_MAX_BYTES, stat = false, signal } = request;
  const options = [
    "--no-ext-diff",
    "--no-textconv",
    "--no-color",
    "--find-renames",
    stat ? "--stat" : "--patch",
  ];
  const args = ["--literal-pathspecs", "diff", ...options, "--end-of-options", from, to, "--", ...paths];
  const { stdout, truncated } = await runGit(repositoryPlace(repo), args, { signal, maxBytes });
  const text = stdout.toString("utf8");
  return { text: truncated ? text.slice(0, text.lastIndexOf("\n") + 1) : text, truncated };
}
