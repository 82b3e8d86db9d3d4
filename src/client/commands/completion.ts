import { z } from "zod";
import type { CommandBody } from "../command.js";
import { COMPLETION_SCRIPTS } from "../completion/scripts.js";
import { readInput } from "../input.js";

const Input = z.object({ arguments: z.tuple([z.enum(["bash", "zsh", "fish"])]) });

/** `towpath completion` */
export const completion: CommandBody = async (input) => {
  const [shell] = readInput(Input, input).arguments;
  return { text: COMPLETION_SCRIPTS[shell], data: { shell, script: COMPLETION_SCRIPTS[shell] } };
};
