import { z } from "zod";
import { dataDirectory } from "../../adapters/store/data-directory.js";
import type { CommandBody } from "../command.js";
import { readInput } from "../input.js";
import { locateLocally } from "../migrations/local.js";

const Input = z.object({
  arguments: z.tuple([z.string().min(1)]),
  options: z.object({ manual: z.boolean().default(false) }),
});

/** `towpath recover` */
export const recover: CommandBody = async (input, context) => {
  const { arguments: args, options } = readInput(Input, input);
  const dataDir = dataDirectory(context.env);
  const id = await locateLocally(args[0], dataDir);
  const [{ readRecoverable }, { withClient }, launch, host, who, { migrationLink }] = await Promise.all([
    import("../migrations/recovery.js"),
    import("../runtime.js"),
    import("../migrations/launch.js"),
    import("../../adapters/temporal/host.js"),
    import("../migrations/who.js"),
    import("../migrations/link.js"),
  ]);
  const { manifest, kind, inputFor } = await readRecoverable(dataDir, id);
  const source = manifest.source_info.path;
  const runtimeOptions = { env: context.env, onProgress: context.progress, worker: "always" as const };
  return withClient(runtimeOptions, async (client, runtime) => {
    const recovered = inputFor({
      hostId: await host.hostId(dataDir),
      manual: options.manual,
      author: await who.commitAuthor(source),
      startedBy: await who.whoAmI(source),
    });
    const sealed = runtime.endpoint.encryption !== undefined;
    await launch.startWorkflow(client, recovered, { kind, sealed, reuse: "ALLOW_DUPLICATE" });
    const link = migrationLink(runtime, id, context.env.TEMPORAL_UI_ADDRESS);
    const phase = recovered.carried?.phase ?? "understand";
    const text = [
      `${id} goes on in phase ${phase}, from what its directory records.`,
      ...(link === null ? [] : [`Web UI: ${link}`]),
      `See where it stands: towpath status ${id}`,
    ].join("\n");
    return { text, data: { id, phase, link } };
  });
};
