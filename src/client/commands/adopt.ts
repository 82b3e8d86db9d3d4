import { realpath } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { z } from "zod";
import { dataDirectory } from "../../adapters/store/data-directory.js";
import { Json } from "../../model/json.js";
import { MigrationInput } from "../../model/messages.js";
import type { CommandBody, CommandContext, CommandResult } from "../command.js";
import { readInput } from "../input.js";
import { type PreparedAdoption, prepareAdoption } from "../migrations/adoption.js";
import { printableBlock } from "../printable.js";
import { hasCode } from "../../model/system-errors.js";

const Input = z.object({
  arguments: z.tuple([z.string().min(1)]),
  options: z.object({
    spec: z.string().min(1).optional(),
    param: z.array(z.string()).default([]),
    source: z.string().min(1).optional(),
    name: z.string().min(1).max(200).optional(),
    manual: z.boolean().default(false),
    allowHost: z.boolean().default(false),
  }),
});
type Options = z.infer<typeof Input>["options"];

const CLEAR_ID = "its id is stored in clear though the rest is encrypted, and it names the codebase";

async function launchAdopted(
  prepared: PreparedAdoption,
  options: Options,
  context: CommandContext,
): Promise<CommandResult> {
  const [
    { withClient },
    { startWorkflow },
    { hostId },
    { commitAuthor, whoAmI },
    { copyIn },
    { migrationLink },
  ] = await Promise.all([
    import("../runtime.js"),
    import("../migrations/launch.js"),
    import("../../adapters/temporal/host.js"),
    import("../migrations/who.js"),
    import("../../adapters/store/adoption.js"),
    import("../migrations/link.js"),
  ]);
  const { directory, manifest, source, spec } = prepared;
  const runtimeOptions = { env: context.env, onProgress: context.progress, worker: "always" as const };
  return withClient(runtimeOptions, async (client, runtime) => {
    const { dataDir } = runtime;
    const copied = !(await isIn(directory, join(dataDir, "migrations")));
    if (copied) await copyIn(dataDir, directory);
    const input = MigrationInput.parse({
      migrationId: manifest.id,
      name: options.name ?? basename(source),
      target: manifest.target_info.target,
      hostId: await hostId(dataDir),
      source,
      spec: spec === null ? null : { fileName: spec.fileName, text: spec.text },
      params: prepared.params,
      manual: options.manual,
      allowHost: prepared.onHost,
      author: await commitAuthor(source),
      startedBy: await whoAmI(source),
      adopt: true,
    });
    const sealed = runtime.endpoint.encryption !== undefined;
    await startWorkflow(client, input, { kind: prepared.kind, sealed });
    const link = migrationLink(runtime, manifest.id, context.env.TEMPORAL_UI_ADDRESS);
    const notices = [...prepared.notices, ...(sealed ? [CLEAR_ID] : [])];
    return answerOf({ ...prepared, notices }, { dataDir, copied, link });
  });
}

/** Whether a directory lies right in another one, whatever links lead there. */
async function isIn(directory: string, parent: string): Promise<boolean> {
  try {
    return (await realpath(dirname(directory))) === (await realpath(parent));
  } catch (error) {
    if (hasCode(error, "ENOENT")) return false;
    throw error;
  }
}

function answerOf(
  { directory, manifest, source, spec, notices }: PreparedAdoption,
  {
    dataDir,
    copied,
    link,
  }: { readonly dataDir: string; readonly copied: boolean; readonly link: string | null },
): CommandResult {
  const { id } = manifest;
  const lines = [
    `Adopted ${id} (→ ${manifest.target_info.target}), ${spec === null ? "hands-on" : `with ${spec.shown}`}`,
    ...(copied
      ? [`Its directory was copied to ${dataDir}/migrations/${id}; ${directory} stays as it is.`]
      : []),
    ...notices.map((notice) => `Note: ${notice}.`),
    ...(link === null ? [] : [`Web UI: ${link}`]),
    `See where it stands: towpath status ${id}`,
  ];
  return {
    text: printableBlock(lines.join("\n")),
    data: Json.parse({
      id,
      target: manifest.target_info.target,
      source,
      directory,
      copied,
      notices: [...notices],
      link,
    }),
  };
}

/** `towpath adopt` */
export const adopt: CommandBody = async (input, context) => {
  const { arguments: args, options } = readInput(Input, input);
  const { spec, param: params, source, allowHost } = options;
  const dataDir = dataDirectory(context.env);
  const request = { reference: args[0], spec, params, source, allowHost };
  return launchAdopted(await prepareAdoption(request, { context, dataDir }), options, context);
};
