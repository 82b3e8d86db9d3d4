import { Json } from "../../model/json.js";
import { specJsonSchema } from "../../model/spec/json-schema.js";
import type { CommandBody } from "../command.js";
import { renderJson } from "../output.js";

/** `towpath schema`: the same with and without `--json`. */
export const schema: CommandBody = async () => {
  const data = Json.parse(specJsonSchema());
  return { text: renderJson(data), data };
};
