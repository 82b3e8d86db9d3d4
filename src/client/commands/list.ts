import { z } from "zod";
import { Json } from "../../model/json.js";
import type { CommandBody, CommandContext, CommandResult } from "../command.js";
import { dataDirectory } from "../../adapters/store/data-directory.js";
import { readInput } from "../input.js";
import { localRows } from "../migrations/listing.js";
import { renderList, type ListedMigration } from "../render/list.js";

const Input = z.object({
  arguments: z.tuple([]),
  options: z.object({ local: z.boolean().default(false) }),
});

function answer(rows: readonly ListedMigration[], context: CommandContext): CommandResult {
  return {
    text: renderList(rows, new Date(), context.columns),
    data: Json.parse({ migrations: rows }),
  };
}

/** `towpath list` */
export const list: CommandBody = async (input, context) => {
  const { options } = readInput(Input, input);
  if (options.local) return answer(await localRows(dataDirectory(context.env)), context);
  const [{ withClient }, { mergedRows }] = await Promise.all([
    import("../runtime.js"),
    import("../migrations/server-listing.js"),
  ]);
  const runtimeOptions = { env: context.env, onProgress: context.progress, worker: "embedded" as const };
  return withClient(runtimeOptions, async (client, { dataDir }) =>
    answer(await mergedRows(await localRows(dataDir), client), context),
  );
};
