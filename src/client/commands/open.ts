import { z } from "zod";
import { hostId } from "../../adapters/temporal/host.js";
import { ListName, listQuery } from "../../model/dashboard.js";
import type { CommandBody, CommandContext } from "../command.js";
import { readInput } from "../input.js";
import { detailsLink, listLink, requireLink } from "../migrations/link.js";
import { locate } from "../migrations/locate.js";
import { checkReference } from "../migrations/reference.js";
import { RemoteMigration } from "../migrations/remote.js";
import { openForPerson } from "../opening.js";
import { withClient } from "../runtime.js";

const Input = z.object({
  arguments: z.tuple([z.string().optional()]),
  options: z.object({ list: ListName.default("all") }),
});

function addressOf(
  reference: string | undefined,
  list: ListName,
  { env, progress }: CommandContext,
): Promise<string> {
  const ui = env.TEMPORAL_UI_ADDRESS;
  return withClient({ env, onProgress: progress, worker: "embedded" }, async (client, runtime) => {
    const { dataDir } = runtime;
    if (reference !== undefined) {
      const id = await locate(reference, dataDir, client);
      const runId = await new RemoteMigration(client, id).runId();
      return requireLink(detailsLink(runtime, id, runId, ui));
    }
    const query = listQuery(list, { now: new Date(), hostId: await hostId(dataDir) });
    return requireLink(listLink(runtime, query, ui));
  });
}

/** `towpath open` */
export const open: CommandBody = async (input, context) => {
  const { arguments: args, options } = readInput(Input, input);
  if (args[0] !== undefined) checkReference(args[0]);
  const url = await addressOf(args[0], options.list, context);
  const reason = await openForPerson(url, context);
  return {
    text: reason === null ? `Opened ${url}` : `${url}\n(not opened: ${reason})`,
    data: { url, opened: reason === null, reason },
  };
};
