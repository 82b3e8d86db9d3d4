import { z } from "zod";
import { pause as pauseSignal, resume as resumeSignal } from "../../workflows/migration.contract.js";
import type { CommandBody } from "../command.js";
import { readInput } from "../input.js";
import { withMigration } from "../migrations/session.js";

const Input = z.object({ arguments: z.tuple([z.string()]) });

/** `towpath pause` */
export const pause: CommandBody = async (input, context) => {
  const [reference] = readInput(Input, input).arguments;
  return withMigration(reference, context, async ({ migration }) => {
    await migration.signal(pauseSignal);
    return {
      text: `${migration.id} pauses before its next step; a step that runs is finished first.\nGo on with: towpath resume ${migration.id}`,
      data: { id: migration.id, requested: "pause" },
    };
  });
};

/** `towpath resume` */
export const resume: CommandBody = async (input, context) => {
  const [reference] = readInput(Input, input).arguments;
  return withMigration(reference, context, async ({ migration }) => {
    await migration.signal(resumeSignal);
    return { text: `${migration.id} goes on.`, data: { id: migration.id, requested: "resume" } };
  });
};
