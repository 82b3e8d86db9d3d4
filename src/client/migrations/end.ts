import { Json } from "../../model/json.js";
import { isTerminal } from "../../model/manifest.js";
import type { CommandResult } from "../command.js";
import { EXIT_CODES } from "../errors.js";
import { printable } from "../printable.js";
import type { FollowEnd } from "./follow.js";

/** What became of it: the migration's own status or, where Temporal ended its workflow, that. */
function outcomeOf({ progress, execution }: FollowEnd): string {
  return isTerminal(progress.status) ? progress.status : execution.toLowerCase();
}

/** The answer of a command that has waited for a migration. */
export function endResult(end: FollowEnd): CommandResult {
  const { migrationId: id, branch } = end.progress;
  if (end.execution === "RUNNING") {
    return {
      text: `${id} goes on. See: towpath watch ${id}`,
      data: Json.parse({ id, status: end.progress.status, ended: false, branch }),
    };
  }
  const status = outcomeOf(end);
  const { outcome } = end.progress;
  const why = status === "completed" || !outcome ? "." : `: ${printable(outcome)}.`;
  const branchText = branch === "" ? "" : ` Branch: ${branch}`;
  return {
    text: `${id} ${status}${why}${branchText}`,
    data: Json.parse({ id, status, ended: true, branch }),
    ...(status === "completed" ? {} : { exitCode: EXIT_CODES["migration-failed"] }),
  };
}
