import { z } from "zod";
import { forgetHost } from "../../adapters/temporal/hosts.js";
import { TowpathError } from "../../model/errors.js";
import { Json } from "../../model/json.js";
import type { CommandBody, CommandContext, CommandResult } from "../command.js";
import { hostViews, requireHostView } from "../hosts/hosts.js";
import { readInput } from "../input.js";
import { agreed, calledOff, requireYesOrTerminal } from "../confirm.js";
import { asTowpathError } from "../migrations/failures.js";
import { whoAmI } from "../migrations/who.js";
import { renderHosts } from "../render/hosts.js";
import { withClient } from "../runtime.js";

const Input = z.object({
  arguments: z.tuple([]),
  options: z.object({ forget: z.string().min(1).optional(), yes: z.boolean().default(false) }),
});

/** A host is looked at, not started: only where Temporal is embedded a worker comes with it. */
function runtimeOptions(context: CommandContext) {
  return { env: context.env, onProgress: context.progress, worker: "embedded" as const };
}

/** `towpath hosts` */
export const hosts: CommandBody = async (input, context) => {
  const { options } = readInput(Input, input);
  if (options.forget !== undefined) return forget(options.forget, options.yes, context);
  return withClient(runtimeOptions(context), async (client) => {
    const views = await hostViews(client);
    return { text: renderHosts(views, new Date(), context.columns), data: Json.parse({ hosts: views }) };
  });
};

async function forget(hostId: string, yes: boolean, context: CommandContext): Promise<CommandResult> {
  requireYesOrTerminal(yes, `forget the host ${hostId}`, context);
  return withClient(runtimeOptions(context), async (client) => {
    const { isHere, migrations, record } = await requireHostView(client, hostId);
    if (isHere) {
      const where = record === null ? "" : ` on ${record.place.machine} (process ${record.pid})`;
      throw new TowpathError(
        "WrongStatus",
        `The worker of ${hostId} runs${where}: end it first, with towpath down.`,
      );
    }
    const held =
      migrations === 1
        ? "1 migration that is not over waits"
        : `${migrations} migrations that are not over wait`;
    const consequences = `${hostId} is no longer listed, and whoever has its id next may keep it. ${held} for it.`;
    if (!(await agreed(yes, consequences))) return calledOff(hostId);
    try {
      await forgetHost(client, hostId, `forgotten by ${await whoAmI(context.cwd)}`);
    } catch (error) {
      throw asTowpathError(error);
    }
    return {
      text: `Forgot ${hostId}. It is listed again when its worker runs.`,
      data: { hostId, forgotten: true },
    };
  });
}
