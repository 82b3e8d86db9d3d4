import { z } from "zod";
import type { CommandBody } from "../command.js";
import { readInput } from "../input.js";
import { withMigration } from "../migrations/session.js";
import { watchMigration } from "../migrations/watching.js";

const Input = z.object({ arguments: z.tuple([z.string()]) });

/** `towpath watch` */
export const watch: CommandBody = async (input, context) => {
  const [reference] = readInput(Input, input).arguments;
  return withMigration(reference, context, (session) => watchMigration(session, context));
};
