import { realpath, stat } from "node:fs/promises";
import path from "node:path";
import { hasConsent } from "../../adapters/consent/consents.js";
import { openRepository, resolveCommit } from "../../adapters/git/repository.js";
import { TowpathError } from "../../model/errors.js";
import type { ParamValue } from "../../model/messages.js";
import { isGitUrl, requireGitUrl } from "../../model/source.js";
import { resolveParams } from "../../model/spec/params.js";
import { requireSpec } from "../../model/spec/parse.js";
import type { Spec } from "../../model/spec/schema.js";
import { type RunKind, runKind } from "../../model/visibility.js";
import { type GivenDocument, plannedRequirements, readGiven } from "./requirements.js";
import { SPEC_FILE_NAME, readSpecFile, requireSpecFile, type SpecFile } from "./spec-file.js";
import { handsOnPhases, hostCommands, plannedPhases, type StartPlan } from "./start-plan.js";

/** What a user asked to start. */
export interface StartRequest {
  readonly path: string;
  readonly spec: string | undefined;
  readonly target: string | undefined;
  readonly name: string | undefined;
  readonly params: readonly string[];
  readonly manual: boolean;
  readonly allowHost: boolean;
  /** A requirements document. */
  readonly prd: string | undefined;
  readonly freshPrd: boolean;
  readonly host: string | undefined;
}

/** A start that is checked: everything is valid, nothing is written yet. */
export interface PreparedStart {
  readonly plan: StartPlan;
  readonly specFile: SpecFile | null;
  /** Every command that would run on the host. */
  readonly commands: readonly string[];
  /** Real absolute path of the project, or URL of its repository. */
  readonly source: string;
  /** The host that was asked for, with a URL. */
  readonly wantedHost: string | undefined;
  /** The source is a remote repository: it is placed on any host, and cloned there. */
  readonly isRemote: boolean;
  readonly kind: RunKind;
  /** The requirements document that was named; not persisted yet. */
  readonly given: GivenDocument | null;
}

/** Reads `name=value` pairs; the last of one name wins. */
export function parseParams(pairs: readonly string[]): Record<string, string> {
  const given = new Map<string, string>();
  for (const pair of pairs) {
    const separator = pair.indexOf("=");
    if (separator < 1) {
      throw new TowpathError("Usage", `--param '${pair}' is not of the form name=value.`);
    }
    given.set(pair.slice(0, separator), pair.slice(separator + 1));
  }
  return Object.fromEntries(given);
}

async function projectDirectory(request: StartRequest, cwd: string): Promise<string> {
  const directory = path.resolve(cwd, request.path);
  // The adapter says best what is wrong with a path: it is asked first.
  await openRepository(directory);
  if ((await stat(directory)).isDirectory()) return realpath(directory);
  throw new TowpathError("Usage", `${directory} is no directory: give the project's directory.`);
}

/** What a clone on another machine cannot be given by a path of this one. */
function remoteSource({ path: url, spec, prd }: StartRequest): string {
  if (spec === undefined) {
    throw new TowpathError("Usage", "A migration of a remote repository needs a spec: name one with --spec.");
  }
  if (prd !== undefined) {
    throw new TowpathError(
      "Usage",
      "--prd is kept in the project's directory, which a remote repository does not have here: commit the document as PRD.md there.",
    );
  }
  return requireGitUrl(url);
}

async function specOf(request: StartRequest, source: string, cwd: string): Promise<SpecFile | null> {
  if (request.spec !== undefined) return requireSpecFile(path.resolve(cwd, request.spec), cwd);
  return readSpecFile(path.join(source, SPEC_FILE_NAME), cwd);
}

function targetOf(request: StartRequest, spec: Spec | null): string {
  if (spec === null) {
    if (request.target !== undefined) return request.target;
    throw new TowpathError(
      "Usage",
      `There is no ${SPEC_FILE_NAME} in the project. \`towpath init\` writes one; or name a spec with --spec, or start hands-on with --target.`,
    );
  }
  if (request.target === undefined || request.target === spec.target) return spec.target;
  throw new TowpathError(
    "Usage",
    `--target ${request.target} contradicts the spec, whose target is ${spec.target}. Leave it out, or change the spec.`,
  );
}

function nameOf(request: StartRequest, spec: Spec | null, source: string): string {
  return request.name ?? spec?.name ?? (path.basename(source, ".git") || "unnamed");
}

function paramsOf(request: StartRequest, spec: Spec | null): Record<string, ParamValue> {
  const given = parseParams(request.params);
  if (spec !== null) return resolveParams(spec, given);
  const [first] = Object.keys(given);
  if (first === undefined) return {};
  throw new TowpathError("Usage", `--param ${first} means nothing without a spec.`);
}

async function hostConsent(
  request: StartRequest,
  commands: readonly string[],
  source: string,
  dataDir: string,
): Promise<StartPlan["host"]> {
  if (commands.length === 0) return "no commands";
  if (request.allowHost || (await hasConsent(dataDir, source))) return "consent given";
  return "consent needed";
}

/**
 * Checks everything about a start that can be checked without starting or writing anything.
 * @throws TowpathError `NotARepository`, `SpecInvalid`, `Usage`
 */
export async function prepareStart(
  request: StartRequest,
  surroundings: {
    readonly cwd: string;
    readonly env: Readonly<Record<string, string | undefined>>;
    readonly dataDir: string;
  },
): Promise<PreparedStart> {
  const { cwd, env, dataDir } = surroundings;
  const isRemote = isGitUrl(request.path);
  const source = isRemote ? remoteSource(request) : await projectDirectory(request, cwd);
  if (!isRemote && request.host !== undefined) {
    throw new TowpathError("Usage", "--host goes with the URL of a repository: a directory is where it is.");
  }
  const specFile = await specOf(request, source, cwd);
  const spec = specFile === null ? null : requireSpec(specFile.text, { fileName: specFile.shown });
  const given = await readGiven(request.prd, cwd);
  const ref = spec?.workspace?.base ?? "HEAD";
  const commands = spec === null ? [] : hostCommands(spec);
  const plan: StartPlan = {
    name: nameOf(request, spec, source),
    target: targetOf(request, spec),
    mode: spec === null ? "hands-on" : "spec",
    source,
    base: { ref, commit: isRemote ? null : await resolveCommit(await openRepository(source), ref) },
    spec: specFile?.shown ?? null,
    params: paramsOf(request, spec),
    setup: spec?.workspace?.setup ?? null,
    baseline: spec?.baseline === undefined ? null : { run: spec.baseline.run, report: spec.baseline.report },
    phases: spec === null ? handsOnPhases() : plannedPhases(spec, request.manual),
    requirements: isRemote
      ? { action: null, why: "decided on the host, from the clone", notices: [] }
      : await plannedRequirements(source, { argument: given !== null, fresh: request.freshPrd }),
    host: await hostConsent(request, commands, source, dataDir),
    secrets: (spec?.secrets ?? []).map((name) => ({ name, set: Boolean(env[name]) })),
  };
  const place = { isRemote, wantedHost: request.host };
  return { plan, specFile, commands, source, given, kind: runKind(spec), ...place };
}
