import { z } from "zod";
import { reject as rejectUpdate } from "../../workflows/migration.contract.js";
import type { CommandBody } from "../command.js";
import { readInput } from "../input.js";
import { agreed, calledOff, requireYesOrTerminal } from "../confirm.js";
import { withMigration } from "../migrations/session.js";
import { whoAmI } from "../migrations/who.js";

const Input = z.object({
  arguments: z.tuple([z.string()]),
  options: z.object({
    comment: z.string().max(4000).default(""),
    as: z.string().min(1).max(200).optional(),
    yes: z.boolean().default(false),
  }),
});

/** `towpath reject` */
export const reject: CommandBody = async (input, context) => {
  const { arguments: args, options } = readInput(Input, input);
  requireYesOrTerminal(options.yes, "reject the migration", context);
  return withMigration(args[0], context, async ({ migration }) => {
    const consequences = `${migration.id} ends as rejected, for good. Its branch and evidence stay, its worktree goes.`;
    if (!(await agreed(options.yes, consequences))) return calledOff(migration.id);
    const by = options.as ?? (await whoAmI(context.cwd));
    const answer = await migration.update(rejectUpdate, { by, comment: options.comment });
    return {
      text: `Phase ${answer.phase} rejected; the migration ends. Its branch and evidence stay.`,
      data: { id: migration.id, done: true, phase: answer.phase, by },
    };
  });
};
