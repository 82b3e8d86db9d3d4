import { z } from "zod";
import { Json } from "../../model/json.js";
import type { PlanView } from "../../model/messages.js";
import type { CommandBody, CommandContext, CommandResult } from "../command.js";
import { dataDirectory } from "../../adapters/store/data-directory.js";
import { readInput } from "../input.js";
import { localPlan } from "../migrations/local-view.js";
import { findLocal, type LocalMigration } from "../migrations/local.js";
import { migrationNotFound } from "../migrations/reference.js";
import { withMigration } from "../migrations/session.js";
import { renderPlan } from "../render/plan.js";

const Input = z.object({
  arguments: z.tuple([z.string()]),
  options: z.object({ local: z.boolean().default(false) }),
});

function answer(id: string, view: PlanView, complete: boolean, context: CommandContext): CommandResult {
  return {
    text: renderPlan(view, complete, context.columns),
    data: Json.parse({
      id,
      completed: view.completed,
      total: view.total,
      complete,
      steps: view.recent,
    }),
  };
}

function localAnswer({ manifest, plan: written }: LocalMigration, context: CommandContext): CommandResult {
  return answer(manifest.id, localPlan(manifest, written), true, context);
}

/** `towpath plan`: the whole plan where this machine holds the migration, else the newest steps. */
export const plan: CommandBody = async (input, context) => {
  const { arguments: args, options } = readInput(Input, input);
  const local = await findLocal(args[0], dataDirectory(context.env));
  if (local !== null) return localAnswer(local, context);
  if (options.local) throw migrationNotFound(args[0]);
  return withMigration(args[0], context, async ({ migration }) =>
    answer(migration.id, await migration.plan(), false, context),
  );
};
