import { z } from "zod";
import { parsePhase } from "../../model/phases.js";
import { advance as advanceUpdate } from "../../workflows/migration.contract.js";
import type { CommandBody } from "../command.js";
import { readInput } from "../input.js";
import { withMigration } from "../migrations/session.js";
import { whoAmI } from "../migrations/who.js";

const Input = z.object({ arguments: z.tuple([z.string(), z.string()]) });

/** `towpath advance` */
export const advance: CommandBody = async (input, context) => {
  const [reference, phaseName] = readInput(Input, input).arguments;
  const phase = parsePhase(phaseName);
  return withMigration(reference, context, async ({ migration }) => {
    const request = { phase, by: await whoAmI(context.cwd) };
    const answer = await migration.update(advanceUpdate, request, () => {
      context.progress(`checking the gate of ${phase}…`);
    });
    const next = answer.next === null ? "It was the last phase: the migration ends." : `Now: ${answer.next}.`;
    return {
      text: `Phase ${answer.phase} completed. ${next}`,
      data: { id: migration.id, phase: answer.phase, next: answer.next },
    };
  });
};
