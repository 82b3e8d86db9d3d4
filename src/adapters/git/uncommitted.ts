import type { Repository } from "./places.js";
import { baseEnvironment, gitText } from "./run.js";

/** Whether the user's checkout holds changes that are in no commit; nothing is written, not even the index's times. */
export async function hasUncommitted(repo: Repository, signal?: AbortSignal): Promise<boolean> {
  const place = { cwd: repo.root, env: baseEnvironment() };
  const text = await gitText(place, ["status", "--porcelain", "--ignore-submodules=dirty"], { signal });
  return text !== "";
}
