import type { Client } from "@temporalio/client";
import { z } from "zod";
import { Json } from "../../model/json.js";
import type { MigrationInput } from "../../model/messages.js";
import type { CommandBody, CommandContext, CommandResult } from "../command.js";
import { dataDirectory } from "../../adapters/store/data-directory.js";
import { readInput } from "../input.js";
import { dryRunResult } from "../migrations/dry-run.js";
import { prepareStart, type PreparedStart } from "../migrations/preparation.js";
import { printableBlock } from "../printable.js";
import type { TowpathRuntime } from "../runtime.js";

const Input = z.object({
  arguments: z.tuple([z.string().optional()]),
  options: z.object({
    spec: z.string().min(1).optional(),
    target: z.string().min(1).max(200).optional(),
    name: z.string().min(1).max(200).optional(),
    param: z.array(z.string()).default([]),
    manual: z.boolean().default(false),
    wait: z.boolean().default(false),
    dryRun: z.boolean().default(false),
    allowHost: z.boolean().default(false),
    prd: z.string().min(1).optional(),
    freshPrd: z.boolean().default(false),
    host: z.string().min(1).optional(),
  }),
});
type Options = z.infer<typeof Input>["options"];

function nextSteps(input: MigrationInput, dataDir: string, waits: boolean): string[] {
  const id = input.migrationId;
  if (input.spec !== null) return waits ? [] : [`Follow it: towpath watch ${id}`];
  return [
    "Hands-on: no spec, so people write the artefacts and advance the phases.",
    `  artefacts: ${dataDir}/migrations/${id}`,
    `  worktree:  ${dataDir}/workspaces/${id} (branch towpath/${id})`,
    `Then: towpath advance ${id} understand`,
  ];
}

interface StartedAt {
  readonly dataDir: string;
  /** The migration's page in the Web UI, where that is known. */
  readonly link: string | null;
  /** The command itself goes on and tells what happens. */
  readonly waits: boolean;
}

function startedResult(input: MigrationInput, { dataDir, link, waits }: StartedAt): CommandResult {
  const { migrationId: id, name, target, hostId } = input;
  const text = [
    `Started ${id} (${name} → ${target})`,
    ...(link === null ? [] : [`Web UI: ${link}`]),
    ...nextSteps(input, dataDir, waits),
  ];
  return {
    text: printableBlock(text.join("\n")),
    data: Json.parse({ id, name, target, source: input.source, host: hostId, link }),
  };
}

/** Everything that needs Temporal's client is imported behind the checks. */
async function launched(
  prepared: PreparedStart,
  options: Options,
  context: CommandContext,
): Promise<CommandResult> {
  const [{ withClient }, { launch }, { commitAuthor, whoAmI }, requirements] = await Promise.all([
    import("../runtime.js"),
    import("../migrations/launch.js"),
    import("../migrations/who.js"),
    import("../migrations/requirements.js"),
  ]);
  const [{ migrationLink }, { openForPerson }] = await Promise.all([
    import("../migrations/link.js"),
    import("../opening.js"),
  ]);
  // A remote repository is worked on where there is room, which need not be here.
  const worker = prepared.isRemote ? ("embedded" as const) : ("always" as const);
  const runtimeOptions = { env: context.env, onProgress: context.progress, worker };
  const identity = prepared.isRemote ? context.cwd : prepared.source;
  for (const { name, set } of prepared.plan.secrets) {
    if (!set) context.progress(`${name} is not set here: the worker needs this secret in its environment.`);
  }
  return withClient(runtimeOptions, async (client, runtime) => {
    const input = await launch(client, prepared, {
      hostId: await placed(prepared, client, runtime),
      author: await commitAuthor(identity),
      startedBy: await whoAmI(identity),
      manual: options.manual,
      sealed: runtime.endpoint.encryption !== undefined,
      // The last thing before the start: a start that fails earlier has written nothing.
      prd: prepared.isRemote
        ? { sha: null, fresh: options.freshPrd }
        : await requirements.persistGiven(prepared.source, prepared.given, options.freshPrd),
    });
    const link = migrationLink(runtime, input.migrationId, context.env.TEMPORAL_UI_ADDRESS);
    if (link !== null) await openForPerson(link, context);
    const started = startedResult(input, { dataDir: runtime.dataDir, link, waits: options.wait });
    if (!options.wait) return started;
    await context.emit(started);
    const [{ RemoteMigration }, { watchMigration }] = await Promise.all([
      import("../migrations/remote.js"),
      import("../migrations/watching.js"),
    ]);
    const migration = new RemoteMigration(client, input.migrationId);
    return watchMigration({ migration, dataDir: runtime.dataDir }, context);
  });
}

/** The host of a migration: of a directory this one, of a remote repository any with room. */
async function placed(prepared: PreparedStart, client: Client, runtime: TowpathRuntime): Promise<string> {
  const [{ hostId }, { placeOnHost }] = await Promise.all([
    import("../../adapters/temporal/host.js"),
    import("../hosts/placement.js"),
  ]);
  const isElsewhere = prepared.isRemote && (runtime.server === null || prepared.wantedHost !== undefined);
  return isElsewhere ? placeOnHost(client, prepared.wantedHost) : hostId(runtime.dataDir);
}

async function askConsent(prepared: PreparedStart, dataDir: string, context: CommandContext): Promise<void> {
  const [{ requireConsent }, { consentsPath }, { whoAmI }] = await Promise.all([
    import("../migrations/consent.js"),
    import("../../adapters/consent/consents.js"),
    import("../migrations/who.js"),
  ]);
  const { plan, specFile, commands, source } = prepared;
  const subject = {
    shown: specFile?.shown ?? "The spec",
    commands,
    source,
    host: plan.host,
    otherwise: "Read the spec (towpath start --dry-run), then start with --allow-host.",
  };
  await requireConsent(subject, {
    context,
    dataDir,
    consentsFile: consentsPath(dataDir),
    by: await whoAmI(prepared.isRemote ? context.cwd : prepared.source),
  });
}

/** `towpath start` */
export const start: CommandBody = async (input, context) => {
  const { arguments: args, options } = readInput(Input, input);
  const dataDir = dataDirectory(context.env);
  const { param: params, ...given } = options;
  const { spec, target, name, manual, allowHost, prd, freshPrd, host } = given;
  const request = {
    path: args[0] ?? ".",
    spec,
    target,
    name,
    params,
    manual,
    allowHost,
    prd,
    freshPrd,
    host,
  };
  const prepared = await prepareStart(request, { cwd: context.cwd, env: context.env, dataDir });
  if (options.dryRun) return dryRunResult(prepared.plan, context.env);
  await askConsent(prepared, dataDir, context);
  return launched(prepared, options, context);
};
