import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { surveyCodebase } from "../adapters/codebase/survey.js";
import { undo } from "../adapters/git/undo.js";
import { changesSince } from "../adapters/requirements/archive.js";
import { type CodeSignature, codeSignature } from "../adapters/requirements/code-signature.js";
import { type CurrentRequirements, readCurrent } from "../adapters/requirements/current.js";
import { readDocumentFile } from "../adapters/requirements/input.js";
import { requirementsPaths, type RequirementsPaths } from "../adapters/requirements/paths.js";
import { persistDocument, settleDocument } from "../adapters/requirements/persist.js";
import { sha256 } from "../adapters/store/files.js";
import { succeeded } from "../model/command.js";
import { TowpathError } from "../model/errors.js";
import { headOf, type Manifest } from "../model/manifest.js";
import { codePaths } from "../model/requirements/code.js";
import type { RequirementsView } from "../model/requirements/decision.js";
import { defaultPrompt, type GenerationTask } from "../model/requirements/prompt.js";
import { requirementsFromSurvey } from "../model/requirements/survey-document.js";
import { explainGeneration, type GenerationOutcome } from "../model/requirements/why.js";
import { type ResolvedGenerator, resolveGenerator } from "../model/spec/resolve.js";
import { renderText } from "../model/spec/templates.js";
import { clearOutDirectory, failureLine, outDirectory, runScript, stdoutFile } from "./commands.js";
import type { GenerateRequirements, GenerationResult } from "./contract.js";
import { heartbeating } from "./heartbeat.js";
import { type Host, openSpecMigration, projectDirectory, scopeOf, type SpecMigration } from "./host.js";
import { recordedView, recordView } from "./requirements.js";
import { openWorktree } from "./workspace.js";

const PLACE = { owner: "requirements", attempt: 1 };

interface Configured {
  readonly migration: SpecMigration;
  readonly generator: ResolvedGenerator;
}

interface Generation {
  readonly host: Host;
  readonly manifest: Manifest;
  readonly operation: string;
  readonly paths: RequirementsPaths;
  /** What was there when it began. */
  readonly before: CurrentRequirements;
  /** null: the built-in survey. */
  readonly configured: Configured | null;
  /** The code that the document will be about. */
  readonly code: CodeSignature;
  readonly signal: AbortSignal;
}

/**
 * Analyses the codebase and persists the document that comes of it, labelled as generated; a document that stays as it was
 * keeps its label. A generator that fails is an answer, and changes nothing.
 */
export function generateRequirements(host: Host, input: GenerateRequirements): Promise<GenerationResult> {
  return heartbeating(async (signal) => {
    const { migrationId, operation } = input;
    const manifest = await host.store.readManifest(migrationId);
    const paths = requirementsPaths(manifest.source_info.path);
    // An execution that died may have left its lock, also where nothing is to be written any more.
    await settleDocument(paths);
    const recorded = recordedView(manifest, operation);
    if (recorded !== null) return { ok: true, message: recorded.why, requirements: recorded };
    const before = await readCurrent(paths);
    const code = await codeSignature(paths, { signal });
    const configured = await configuredGenerator(host, manifest);
    const generation = { host, manifest, operation, paths, before, configured, code, signal };
    try {
      const requirements =
        before.pointer?.operation === writeOf(generation)
          ? await use(generation, before, "generated")
          : await persist(generation, await generate(generation));
      return { ok: true, message: requirements.why, requirements };
    } catch (error) {
      if (!(error instanceof TowpathError) || error.type !== "CommandFailed") throw error;
      return { ok: false, message: error.message, requirements: null };
    }
  });
}

async function configuredGenerator(host: Host, manifest: Manifest): Promise<Configured | null> {
  if (manifest.mode !== "spec") return null;
  const migration = await openSpecMigration(host, manifest.id);
  const generator = resolveGenerator(migration.spec);
  return generator === null ? null : { migration, generator };
}

async function generate(generation: Generation): Promise<Uint8Array> {
  const { configured, paths, code, signal } = generation;
  if (configured !== null) return runGenerator(generation, configured);
  const files = codePaths(code.listing).map((path) => Buffer.from(path, "latin1").toString("utf8"));
  return Buffer.from(requirementsFromSurvey(await surveyCodebase(paths.project, { signal, files })));
}

/** Runs the configured program in the migration's worktree; what it changes there is undone. */
async function runGenerator(
  { host, manifest, paths, before, code, signal }: Generation,
  { migration, generator }: Configured,
): Promise<Uint8Array> {
  const worktree = await openWorktree(host, manifest, signal);
  const prompt = promptFor(
    migration,
    generator,
    isUpdate(manifest) ? await changesBetween(paths, before, code) : null,
  );
  const out = outDirectory(migration, PLACE);
  const file = generator.document === null ? stdoutFile(migration, PLACE) : join(out, generator.document);
  await clearOutDirectory(migration, PLACE);
  const promptFile = join(out, "prompt.md");
  await writeFile(promptFile, prompt);
  if (generator.document !== null && isUpdate(manifest) && before.document !== null) {
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, before.document.bytes);
  }
  const result = await runScript(
    host,
    migration,
    {
      ...generator,
      env: { ...generator.env, TOWPATH_PROMPT: promptFile },
      place: PLACE,
      what: "generate",
      scope: scopeOf(migration, generator.env),
      cwd: projectDirectory(worktree),
      stdin: prompt,
      copyStdout: true,
    },
    signal,
  );
  await undo({ worktree, commit: headOf(manifest), exclude: migration.exclude });
  const line = (): string => failureLine(generator.script, result, generator);
  if (!succeeded(result)) throw new TowpathError("CommandFailed", `${line()} (see ${result.log})`);
  return redacted(await writtenDocument(file, result.log), migration);
}

function promptFor(
  migration: SpecMigration,
  { prompt, env }: ResolvedGenerator,
  previous: GenerationTask["previous"],
): string {
  if (prompt !== null) return renderText(prompt, scopeOf(migration, env));
  const { manifest, spec } = migration;
  return defaultPrompt({ name: manifest.name ?? spec.name, target: manifest.target_info.target, previous });
}

async function changesBetween(
  paths: RequirementsPaths,
  { pointer }: CurrentRequirements,
  code: CodeSignature,
): Promise<GenerationTask["previous"]> {
  if (pointer === null) return null;
  return { changes: await changesSince(paths, pointer.signature, code.listing) };
}

/** Several migrations write into one project: an operation is named with its migration's id there. */
function writeOf({ manifest, operation }: Generation): string {
  return `${manifest.id}/${operation}`;
}

function isUpdate({ requirements }: Manifest): boolean {
  return requirements?.action === "update";
}

async function writtenDocument(file: string, log: string): Promise<Buffer> {
  try {
    return await readDocumentFile(file);
  } catch (error) {
    if (!(error instanceof TowpathError) || error.type !== "RequirementsInvalid") throw error;
    const nothing = ["missing", "empty"].includes(String(error.details["reason"]));
    const what = nothing ? "the command wrote no requirements document" : error.message;
    throw new TowpathError("CommandFailed", `${what} (see ${log})`, { cause: error });
  }
}

/** A program may repeat what it saw in its environment. Bytes that are no UTF-8 are left as they are. */
function redacted(bytes: Buffer, { redactor }: SpecMigration): Uint8Array {
  const text = bytes.toString("utf8");
  const clean = redactor.text(text);
  return clean === text ? bytes : Buffer.from(clean);
}

async function persist(generation: Generation, bytes: Uint8Array): Promise<RequirementsView> {
  const { host, paths, before, code } = generation;
  const { document, pointer } = before;
  const isSame = document?.sha === sha256(bytes);
  const isGenerated = document?.provenance === "generated" && !document.edited;
  if (isSame && !isGenerated) return use(generation, before, "unchanged");
  const label = isSame && pointer !== null ? { generatedAt: pointer.generated_at } : {};
  const persisted = await persistDocument(
    paths,
    { bytes, source: "generated", code, now: host.now(), operation: writeOf(generation), ...label },
    { accept: (current) => current.document === null || isSameState(current, before) },
  );
  if (persisted.outcome === "refused") return use(generation, persisted.before, "overtaken");
  const outcome = isSame ? "unchanged" : isUpdate(generation.manifest) ? "updated" : "generated";
  return use(generation, await readCurrent(paths), outcome);
}

function isSameState(current: CurrentRequirements, before: CurrentRequirements): boolean {
  return (
    current.document?.sha === before.document?.sha &&
    current.pointer?.prd_sha === before.pointer?.prd_sha &&
    current.pointer?.source === before.pointer?.source
  );
}

/** Takes what is persisted now as the migration's document. */
async function use(
  { host, manifest, operation, configured }: Generation,
  { document }: CurrentRequirements,
  outcome: GenerationOutcome,
): Promise<RequirementsView> {
  const decided = manifest.requirements;
  if (document === null || decided === undefined) {
    throw new TowpathError(
      "StorageFailed",
      "The requirements document was removed while it was taken; retry",
    );
  }
  const name = configured === null ? "the built-in survey" : "the configured command";
  const view: RequirementsView = {
    action: decided.action,
    rule: decided.rule,
    source: document.edited ? "user" : document.provenance,
    sha: document.sha,
    why: `${decided.why}; ${explainGeneration(outcome, name)}`,
    notices: decided.notices,
  };
  await host.store.writeRequirements(manifest.id, document.bytes);
  await recordView(host, manifest.id, operation, view);
  return view;
}
