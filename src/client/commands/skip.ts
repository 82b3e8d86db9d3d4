import { z } from "zod";
import { parseStepId } from "../../model/ids.js";
import { skip as skipUpdate } from "../../workflows/migration.contract.js";
import type { CommandBody } from "../command.js";
import { readInput } from "../input.js";
import { agreed, calledOff, requireYesOrTerminal } from "../confirm.js";
import { withMigration } from "../migrations/session.js";
import { whoAmI } from "../migrations/who.js";

const Input = z.object({
  arguments: z.tuple([z.string(), z.string()]),
  options: z.object({
    reason: z
      .string({ error: "say why the step may be left out" })
      .min(1, "say why the step may be left out")
      .max(4000),
    yes: z.boolean().default(false),
  }),
});

/** `towpath skip` */
export const skip: CommandBody = async (input, context) => {
  const { arguments: args, options } = readInput(Input, input);
  const step = parseStepId(args[1]);
  requireYesOrTerminal(options.yes, `skip the step ${step}`, context);
  return withMigration(args[0], context, async ({ migration }) => {
    const consequences = [
      `Step ${step} of ${migration.id} is left out: its changes are never made, and the steps behind it run without them.`,
      "The reason is recorded with your name.",
    ].join("\n");
    if (!(await agreed(options.yes, consequences))) return calledOff(migration.id);
    const answer = await migration.update(skipUpdate, {
      step,
      reason: options.reason,
      by: await whoAmI(context.cwd),
    });
    return {
      text: `Step ${answer.step} skipped; the migration goes on without it.`,
      data: { id: migration.id, done: true, step: answer.step },
    };
  });
};
