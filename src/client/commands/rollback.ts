import { z } from "zod";
import { TowpathError } from "../../model/errors.js";
import { parseStepId } from "../../model/ids.js";
import type { PlanView, RollbackAnswer } from "../../model/messages.js";
import { rollback as rollbackUpdate } from "../../workflows/migration.contract.js";
import type { CommandBody, CommandResult } from "../command.js";
import { readInput } from "../input.js";
import { agreed, calledOff, requireYesOrTerminal } from "../confirm.js";
import { localPlan } from "../migrations/local-view.js";
import { readLocalIfHere } from "../migrations/local.js";
import { withMigration } from "../migrations/session.js";
import { whoAmI } from "../migrations/who.js";

const Input = z.object({
  arguments: z.tuple([z.string(), z.string()]),
  options: z.object({ yes: z.boolean().default(false) }),
});

const SHOWN_STEPS = 10;

/** The steps that a rollback undoes: the one named and every later one that has run. */
function undoneSteps(plan: PlanView, step: string): string[] {
  const from = plan.recent.findIndex((candidate) => candidate.id === step);
  if (from === -1) return [step];
  return plan.recent
    .slice(from)
    .filter((candidate) => candidate.id === step || candidate.status !== "pending")
    .map((candidate) => candidate.id);
}

function consequences(id: string, steps: readonly string[]): string {
  const shown = steps.slice(0, SHOWN_STEPS).join(", ");
  const more = steps.length > SHOWN_STEPS ? ` and ${steps.length - SHOWN_STEPS} more` : "";
  return [
    `The branch and worktree of ${id} go back to where they were before step ${steps[0] ?? ""}.`,
    `Undone, and to be run again: ${shown}${more}. Uncommitted work in the migration's worktree is lost.`,
    "The undone commits stay reachable by a tag. Your own checkout is not touched.",
  ].join("\n");
}

function answerOf(id: string, answer: RollbackAnswer): CommandResult {
  const kept =
    answer.undone === null ? "Nothing had to be undone." : `The undone head is kept as tag ${answer.undone}.`;
  return {
    text: `Rolled back to the state before ${answer.step} (${answer.commit}), in phase ${answer.phase}. ${kept}`,
    data: {
      id,
      done: true,
      step: answer.step,
      phase: answer.phase,
      commit: answer.commit,
      undone: answer.undone,
    },
  };
}

/** `towpath rollback` */
export const rollback: CommandBody = async (input, context) => {
  const { arguments: args, options } = readInput(Input, input);
  const step = parseStepId(args[1]);
  requireYesOrTerminal(options.yes, `roll back to before ${step}`, context);
  return withMigration(args[0], context, async ({ migration, dataDir }) => {
    const here = await readLocalIfHere(dataDir, migration.id);
    const local = here === null ? null : localPlan(here.manifest, here.plan);
    if (local !== null && local.total > 0 && !local.recent.some((candidate) => candidate.id === step)) {
      throw new TowpathError(
        "StepNotFound",
        `The migration ${migration.id} has no step ${step}. See: towpath plan ${migration.id}`,
        {
          details: { id: migration.id, step },
        },
      );
    }
    const steps = undoneSteps(local ?? (await migration.plan()), step);
    if (!(await agreed(options.yes, consequences(migration.id, steps)))) return calledOff(migration.id);
    const answer = await migration.update(rollbackUpdate, { step, by: await whoAmI(context.cwd) });
    return answerOf(migration.id, answer);
  });
};
