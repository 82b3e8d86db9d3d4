import { realpath, stat } from "node:fs/promises";
import { homedir } from "node:os";
import path from "node:path";
import { consentsPath, hasConsent } from "../../adapters/consent/consents.js";
import { listTags } from "../../adapters/git/refs.js";
import { openRepository, resolveCommit } from "../../adapters/git/repository.js";
import { hasUncommitted } from "../../adapters/git/uncommitted.js";
import { findForeign, inspectDirectory } from "../../adapters/store/adoption.js";
import { messageOf, TowpathError } from "../../model/errors.js";
import type { Manifest } from "../../model/manifest.js";
import type { ParamValue } from "../../model/messages.js";
import { resolveParams } from "../../model/spec/params.js";
import { requireSpec } from "../../model/spec/parse.js";
import type { Spec } from "../../model/spec/schema.js";
import { runKind, type RunKind } from "../../model/visibility.js";
import type { CommandContext } from "../command.js";
import { requireConsent } from "./consent.js";
import { parseParams } from "./preparation.js";
import { requireSpecFile, type SpecFile } from "./spec-file.js";
import { hostCommands } from "./start-plan.js";
import { whoAmI } from "./who.js";

export interface AdoptionRequest {
  /** An id, or the path of a directory. */
  readonly reference: string;
  readonly spec: string | undefined;
  readonly params: readonly string[];
  /** Where the codebase is now, if not where the manifest says. */
  readonly source: string | undefined;
  readonly allowHost: boolean;
}

/** An adoption that is checked: everything is valid, nothing is written yet. */
export interface PreparedAdoption {
  /** The predecessor's directory, absolute. */
  readonly directory: string;
  readonly manifest: Manifest;
  /** Real absolute path of the project. */
  readonly source: string;
  readonly spec: SpecFile | null;
  readonly params: Readonly<Record<string, ParamValue>>;
  /** The spec runs commands on this host. */
  readonly onHost: boolean;
  readonly kind: RunKind;
  /** What is adopted otherwise than the directory says. */
  readonly notices: readonly string[];
}

/** The predecessor's own data directory. */
function predecessorsHome(env: Readonly<Record<string, string | undefined>>): string {
  return env["LOKI_DATA_DIR"] ?? path.join(env["HOME"] ?? homedir(), ".loki");
}

/**
 * Checks everything about an adoption; nothing is written.
 * @throws TowpathError `MigrationNotFound`; `AdoptionRefused` listing every problem of a damaged directory; `SpecInvalid`,
 * `Usage`, `ConsentRequired`, `WrongStatus`
 */
export async function prepareAdoption(
  request: AdoptionRequest,
  { context, dataDir }: { readonly context: CommandContext; readonly dataDir: string },
): Promise<PreparedAdoption> {
  const homes = [dataDir, predecessorsHome(context.env)];
  const directory = await findForeign(request.reference, context.cwd, homes);
  const { manifest, problems, notices } = await inspectDirectory(directory);
  const named = request.source ?? manifest?.source_info.path;
  const codebase = named === undefined ? null : await lookAt(path.resolve(context.cwd, named));
  const all = [...problems, ...(codebase !== null && "problem" in codebase ? [codebase.problem] : [])];
  if (manifest === null || codebase === null || "problem" in codebase || all.length > 0) {
    throw damaged(directory, all);
  }
  const { source } = codebase;
  const specFile =
    request.spec === undefined
      ? null
      : await requireSpecFile(path.resolve(context.cwd, request.spec), context.cwd);
  const spec = specFile === null ? null : requireSpec(specFile.text, { fileName: specFile.shown });
  const onHost = await agree(request, { spec, specFile, source }, { context, dataDir });
  return {
    directory,
    manifest,
    source,
    spec: specFile,
    params: paramsOf(request, spec, manifest),
    onHost,
    kind: runKind(spec),
    notices: [...notices, ...(await repositoryNotices(source, manifest))],
  };
}

/** The codebase as it can be migrated: a directory of a repository with a commit. */
async function lookAt(named: string): Promise<{ source: string } | { problem: string }> {
  try {
    await resolveCommit(await openRepository(named), "HEAD");
    if ((await stat(named)).isDirectory()) return { source: await realpath(named) };
    return { problem: `the codebase ${named} is no directory; say where it is with --source` };
  } catch (error) {
    if (!(error instanceof TowpathError)) throw error;
    return { problem: `the codebase: ${messageOf(error)} (say where it is now with --source)` };
  }
}

function damaged(directory: string, problems: readonly string[]): TowpathError {
  const count = problems.length === 1 ? "1 problem" : `${problems.length} problems`;
  return new TowpathError(
    "AdoptionRefused",
    [
      `${directory} cannot be adopted: ${count}. Nothing was changed.`,
      ...problems.map((each) => `  ${each}`),
    ].join("\n"),
    { details: { directory, problems } },
  );
}

async function agree(
  { allowHost }: AdoptionRequest,
  {
    spec,
    specFile,
    source,
  }: { readonly spec: Spec | null; readonly specFile: SpecFile | null; readonly source: string },
  { context, dataDir }: { readonly context: CommandContext; readonly dataDir: string },
): Promise<boolean> {
  const commands = spec === null ? [] : hostCommands(spec);
  if (commands.length === 0) return false;
  const agreed = allowHost || (await hasConsent(dataDir, source));
  const shown = specFile?.shown ?? "The spec";
  const otherwise = `Read ${shown}, then adopt with --allow-host.`;
  await requireConsent(
    { shown, commands, source, host: agreed ? "consent given" : "consent needed", otherwise },
    { context, dataDir, consentsFile: consentsPath(dataDir), by: await whoAmI(source) },
  );
  return true;
}

function paramsOf(
  { params }: AdoptionRequest,
  spec: Spec | null,
  manifest: Manifest,
): Record<string, ParamValue> {
  const given = parseParams(params);
  if (spec === null) {
    const [first] = Object.keys(given);
    if (first === undefined) return {};
    throw new TowpathError("Usage", `--param ${first} means nothing without a spec.`);
  }
  if (spec.target !== manifest.target_info.target) {
    throw new TowpathError(
      "Usage",
      `The spec's target is ${spec.target}, and the migration's is ${manifest.target_info.target}. Change the spec.`,
    );
  }
  return resolveParams(spec, given);
}

async function repositoryNotices(source: string, manifest: Manifest): Promise<string[]> {
  const repo = await openRepository(source);
  const present = new Set((await listTags(repo, "loki-migrate")).map(({ name }) => name));
  const gone = manifest.checkpoints.filter((tag) => tag.startsWith("loki-migrate/") && !present.has(tag));
  return [
    ...gone.map((tag) => `the recorded tag ${tag} is not in the repository (any more)`),
    ...((await hasUncommitted(repo))
      ? [`${source} has changes that are not committed: they are no part of the migration's branch`]
      : []),
  ];
}
