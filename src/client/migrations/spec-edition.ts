import { createHash } from "node:crypto";
import path from "node:path";
import { consentsPath, hasConsent } from "../../adapters/consent/consents.js";
import type { SpecEdition } from "../../model/messages.js";
import { requireSpec } from "../../model/spec/parse.js";
import type { CommandContext } from "../command.js";
import { requireConsent } from "./consent.js";
import { requireSpecFile } from "./spec-file.js";
import { parseParams } from "./preparation.js";
import { hostCommands } from "./start-plan.js";

/** An edited spec as somebody hands it in. */
export interface SpecRequest {
  readonly file: string;
  /** `name=value`, each. */
  readonly params: readonly string[];
  readonly allowHost: boolean;
  /** Real absolute path of the migration's project. */
  readonly source: string;
  readonly by: string;
}

/**
 * Reads and checks an edited spec, and sees to it that somebody agreed to its commands, as at a start.
 * @throws TowpathError `SpecInvalid` with every problem, `Usage`, `ConsentRequired`
 */
export async function readEdition(
  { file, params, allowHost, source, by }: SpecRequest,
  { context, dataDir }: { readonly context: CommandContext; readonly dataDir: string },
): Promise<SpecEdition> {
  const { shown, fileName, text } = await requireSpecFile(path.resolve(context.cwd, file), context.cwd);
  const commands = hostCommands(requireSpec(text, { fileName: shown }));
  const given = parseParams(params);
  const agreed = allowHost || (await hasConsent(dataDir, source));
  const host = commands.length === 0 ? "no commands" : agreed ? "consent given" : "consent needed";
  await requireConsent(
    { shown, commands, source, host, otherwise: `Read ${shown}, then give --allow-host.` },
    { context, dataDir, consentsFile: consentsPath(dataDir), by },
  );
  return {
    fileName,
    text,
    digest: createHash("sha256").update(text).digest("hex"),
    params: given,
    allowHost: commands.length > 0,
  };
}
