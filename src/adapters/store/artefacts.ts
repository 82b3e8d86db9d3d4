import { renameSync } from "node:fs";
import { dirname } from "node:path";
import { z } from "zod";
import { isObject, parseJson, parseShape, type Parsed } from "../../model/artefact-text.js";
import { messageOf, TowpathError } from "../../model/errors.js";
import { Feature, parseFeatures } from "../../model/features.js";
import type { FileFacts } from "../../model/file-gates.js";
import { parsePlan, Plan } from "../../model/plan.js";
import { appendProgressEntry, type ProgressEntry } from "../../model/progress-log.js";
import { parseSeams, Seam } from "../../model/seams.js";
import { hasCode } from "../../model/system-errors.js";
import {
  kindAt,
  namesIn,
  readText,
  removeFile,
  storageFailed,
  syncDirectory,
  writeTemporary,
} from "./files.js";
import type { HeldLock } from "./lock.js";
import type { MigrationPaths } from "./paths.js";

/** What people and agents write into a migration's directory, by name. */
export interface Artefacts {
  features: Feature[];
  seams: Seam[];
  plan: Plan;
}

export type ArtefactName = keyof Artefacts;

interface ArtefactKind<T> {
  readonly file: string;
  readonly path: (paths: MigrationPaths) => string;
  readonly parse: (text: string) => Parsed<T>;
  readonly schema: z.ZodType<T>;
}

const KINDS: { readonly [Name in ArtefactName]: ArtefactKind<Artefacts[Name]> } = {
  features: {
    file: "features.json",
    path: (paths) => paths.features,
    parse: parseFeatures,
    schema: z.array(Feature),
  },
  seams: { file: "seams.json", path: (paths) => paths.seams, parse: parseSeams, schema: z.array(Seam) },
  plan: { file: "migration-plan.json", path: (paths) => paths.plan, parse: parsePlan, schema: Plan },
};

/**
 * Reads an artefact; null where there is none.
 * @throws TowpathError `ArtefactInvalid` with every problem
 */
export async function readArtefact<Name extends ArtefactName>(
  paths: MigrationPaths,
  name: Name,
): Promise<Artefacts[Name] | null> {
  const kind = KINDS[name];
  const text = await readText(kind.path(paths));
  return text === null ? null : valueOf(kind.file, kind.parse(text));
}

function valueOf<T>(file: string, result: Parsed<T>): T {
  if (result.ok) return result.value;
  throw new TowpathError(
    "ArtefactInvalid",
    `${file} is invalid: ${result.problems.slice(0, 10).join("; ")}`,
    {
      details: { file, problems: result.problems.slice(0, 100) },
    },
  );
}

/**
 * Writes an artefact under a held lock. A list that lies wrapped in an object stays wrapped, other keys kept.
 * @throws TowpathError `ArtefactInvalid` when `value` is no such artefact
 */
export async function storeArtefact<Name extends ArtefactName>(
  paths: MigrationPaths,
  name: Name,
  value: Artefacts[Name],
  held: HeldLock,
): Promise<void> {
  const kind = KINDS[name];
  const checked = valueOf(kind.file, parseShape(name, kind.schema, value));
  const path = kind.path(paths);
  const wrapper = Array.isArray(checked) ? await wrapperAt(path, name) : null;
  await replaceText(
    paths,
    path,
    jsonText(wrapper === null ? checked : { ...wrapper, [name]: checked }),
    held,
  );
}

async function wrapperAt(path: string, name: string): Promise<Record<string, unknown> | null> {
  const text = await readText(path);
  const json = text === null ? null : parseJson(text);
  return json?.ok === true && isObject(json.value) && Object.hasOwn(json.value, name) ? json.value : null;
}

/** JSON as it lies on disk: two spaces, a line break at the end. */
export function jsonText(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

/**
 * Replaces a file of a migration durably, under a held lock: a holder that was suspended and taken over does not
 * overwrite its successor's file.
 * @throws TowpathError `StorageFailed`, `LockUnavailable`; the old file is as it was then
 */
export async function replaceText(
  paths: MigrationPaths,
  path: string,
  text: string | Uint8Array,
  held: HeldLock,
): Promise<void> {
  const temporary = await writeTemporary(paths.staging, text, path);
  try {
    held.assertHeld();
    renameSync(temporary.path, path);
  } catch (error) {
    // Swept away by the next holder in between: then it is the lock that is to be told of.
    if (hasCode(error, "ENOENT")) held.assertHeld();
    removeFile(temporary.path);
    throw error instanceof TowpathError ? error : storageFailed("write", path, error);
  }
  await syncDirectory(dirname(path));
}

/** Adds an entry to `progress.md` under a held lock. */
export async function addProgress(
  paths: MigrationPaths,
  entry: ProgressEntry,
  held: HeldLock,
): Promise<void> {
  const log = (await readText(paths.progress)) ?? "";
  await replaceText(paths, paths.progress, appendProgressEntry(log, entry), held);
}

/** Reads what the file gates look at, as it lies on disk now. */
export async function readFileFacts(paths: MigrationPaths): Promise<FileFacts> {
  const [docsEntries, seamsText, featuresText, planText] = await Promise.all([
    countEntries(paths.docs),
    readText(paths.seams),
    readText(paths.features),
    readText(paths.plan),
  ]);
  return { docsEntries, seamsText, featuresText, planText };
}

async function countEntries(directory: string): Promise<number> {
  return kindAt(directory) === "directory" ? ((await namesIn(directory))?.length ?? 0) : 0;
}

/** The file of a checkpoint, beside its tag in git. */
export const Checkpoint = z.looseObject({
  step_id: z.string(),
  tag: z.string(),
  commit: z.string().default(""),
  created_at: z.string().default(""),
});
export type Checkpoint = z.infer<typeof Checkpoint>;

/**
 * Reads a checkpoint's file; null where there is none.
 * @throws TowpathError `ArtefactInvalid`
 */
export async function readCheckpointAt(path: string): Promise<Checkpoint | null> {
  const text = await readText(path);
  if (text === null) return null;
  const json = parseJson(text);
  return valueOf(path, json.ok ? parseShape("checkpoint", Checkpoint, json.value) : json);
}

/** The value, or null where the artefact cannot be understood: for showing progress, which hides no migration. */
export async function nullIfInvalid<T>(reading: Promise<T | null>): Promise<T | null> {
  try {
    return await reading;
  } catch (error) {
    if (error instanceof TowpathError && error.type === "ArtefactInvalid") return null;
    throw error instanceof Error ? error : new TowpathError("Internal", messageOf(error));
  }
}
