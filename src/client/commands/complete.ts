import { z } from "zod";
import { dataDirectory } from "../../adapters/store/data-directory.js";
import { Json } from "../../model/json.js";
import type { CommandBody } from "../command.js";
import { COMMANDS } from "../commands.js";
import { candidates } from "../completion/candidates.js";
import { localNames } from "../completion/local-names.js";
import { readInput } from "../input.js";
import { printable } from "../printable.js";

const Input = z.object({ arguments: z.tuple([z.array(z.string()).default([])]) });

/** `towpath complete`: a candidate a line, its description behind a tab; or `:files`, `:directories` for the shell itself. */
export const complete: CommandBody = async (input, context) => {
  const [words] = readInput(Input, input).arguments;
  const found = await candidates(words, COMMANDS, localNames(dataDirectory(context.env)));
  if (typeof found === "string") return { text: `:${found}`, data: { shell: found } };
  const lines = found.map(({ value, description }) =>
    description === "" ? value : `${value}\t${printable(description)}`,
  );
  return { text: lines.join("\n"), data: Json.parse({ candidates: found }) };
};
