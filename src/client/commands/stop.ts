import { z } from "zod";
import { stop as stopSignal } from "../../workflows/migration.contract.js";
import type { CommandBody } from "../command.js";
import { readInput } from "../input.js";
import { agreed, calledOff, requireYesOrTerminal } from "../migrations/confirm.js";
import { withMigration } from "../migrations/session.js";
import { whoAmI } from "../migrations/who.js";

const Input = z.object({
  arguments: z.tuple([z.string()]),
  options: z.object({ reason: z.string().max(4000).default(""), yes: z.boolean().default(false) }),
});

/** A step's processes are given seconds to end; a worker that is not there comes back when somebody starts it. */
const WAIT_MS = 30_000;

/** `towpath stop` */
export const stop: CommandBody = async (input, context) => {
  const { arguments: args, options } = readInput(Input, input);
  requireYesOrTerminal(options.yes, "stop the migration", context);
  return withMigration(args[0], context, async ({ migration }) => {
    const consequences = [
      `${migration.id} ends, for good: what runs is ended, and its worktree is removed with what is not committed.`,
      "The branch with every completed step, the tags and the evidence stay.",
    ].join("\n");
    if (!(await agreed(options.yes, consequences))) return calledOff(migration.id);
    await migration.signal(stopSignal, { by: await whoAmI(context.cwd), reason: options.reason });
    const stopped = await migration.ended(WAIT_MS);
    return {
      text: stopped
        ? `${migration.id} is stopped. Its branch and evidence stay.`
        : `${migration.id} was asked to stop and has not ended within ${WAIT_MS / 1000} s. It ends as soon as a worker has cleaned up; see: towpath status ${migration.id}`,
      data: { id: migration.id, done: true, stopped },
    };
  });
};
