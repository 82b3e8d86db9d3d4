import { z } from "zod";
import { Json } from "../../model/json.js";
import { TowpathError } from "../../model/errors.js";
import type { RetryAnswer } from "../../model/messages.js";
import { retry as retryUpdate } from "../../workflows/migration.contract.js";
import type { CommandBody, CommandResult } from "../command.js";
import { readInput } from "../input.js";
import { withMigration } from "../migrations/session.js";
import { readEdition } from "../migrations/spec-edition.js";
import { whoAmI } from "../migrations/who.js";
import { printableBlock } from "../printable.js";

const Input = z.object({
  arguments: z.tuple([z.string()]),
  options: z.object({
    spec: z.string().min(1).optional(),
    param: z.array(z.string()).default([]),
    allowHost: z.boolean().default(false),
  }),
});

function answerOf(id: string, { retried, continued }: RetryAnswer): CommandResult {
  const lines = [`Trying again: ${retried}`];
  if (continued !== undefined) {
    const { kept, undone } = continued;
    lines.push(`${kept} finished ${kept === 1 ? "step is" : "steps are"} kept.`);
    if (undone !== null) lines.push(`The undone head is kept as tag ${undone}.`);
  }
  return {
    text: printableBlock(lines.join("\n")),
    data: Json.parse({ id, retried, ...(continued === undefined ? {} : { continued }) }),
  };
}

/** `towpath retry` */
export const retry: CommandBody = async (input, context) => {
  const { arguments: args, options } = readInput(Input, input);
  const { spec: file, param: params, allowHost } = options;
  if (file === undefined && params.length > 0) {
    throw new TowpathError("Usage", "--param changes what the spec is given: name the spec with --spec too.");
  }
  return withMigration(args[0], context, async ({ migration, dataDir }) => {
    const by = await whoAmI(context.cwd);
    if (file === undefined) return answerOf(migration.id, await migration.update(retryUpdate, { by }));
    const { source } = await migration.progress();
    const spec = await readEdition({ file, params, allowHost, source, by }, { context, dataDir });
    return answerOf(migration.id, await migration.update(retryUpdate, { by, spec }));
  });
};
