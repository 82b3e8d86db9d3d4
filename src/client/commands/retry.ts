import { z } from "zod";
import { retry as retryUpdate } from "../../workflows/migration.contract.js";
import type { CommandBody } from "../command.js";
import { readInput } from "../input.js";
import { withMigration } from "../migrations/session.js";
import { whoAmI } from "../migrations/who.js";
import { printable } from "../printable.js";

const Input = z.object({ arguments: z.tuple([z.string()]) });

/** `towpath retry` */
export const retry: CommandBody = async (input, context) => {
  const [reference] = readInput(Input, input).arguments;
  return withMigration(reference, context, async ({ migration }) => {
    const answer = await migration.update(retryUpdate, { by: await whoAmI(context.cwd) });
    return {
      text: `Trying again: ${printable(answer.retried)}`,
      data: { id: migration.id, retried: answer.retried },
    };
  });
};
