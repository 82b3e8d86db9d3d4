import { resolve } from "node:path";
import { z } from "zod";
import { addKey, KEY_FILE_VARIABLE } from "../../adapters/temporal/encryption/keys.js";
import type { CommandBody } from "../command.js";
import { readInput } from "../input.js";
import { printable } from "../printable.js";

const Input = z.object({
  arguments: z.tuple([z.string().min(1)]),
  options: z.object({ last: z.boolean().default(false) }),
});

/** `towpath codec-key` */
export const codecKey: CommandBody = async (input, context) => {
  const { arguments: args, options } = readInput(Input, input);
  const path = resolve(context.cwd, args[0]);
  const id = await addKey(path, !options.last);
  const use = options.last ? "decrypts; move its line to the top to encrypt with it" : "encrypts from now on";
  return {
    text: [
      printable(`Key '${id}' was added to ${path}: it ${use}.`),
      printable(
        `Set ${KEY_FILE_VARIABLE}=${path} for every command and worker, and keep a copy of the file:`,
      ),
      "what is encrypted cannot be read without it.",
    ].join("\n"),
    data: { id, path, encrypts: !options.last },
  };
};
