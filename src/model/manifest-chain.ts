import { z } from "zod";
import { isObject } from "./artefact-text.js";
import { replacedKeys } from "./derived.js";
import { messageOf, TowpathError } from "./errors.js";
import { isStepId } from "./ids.js";
import { Json } from "./json.js";
import { Manifest, StepRecord } from "./manifest.js";
import { applyPatches, deepFreeze, diff, type PatchOperation } from "./json-patch.js";
import { progressPercent } from "./progress.js";

const Digest = z.string().regex(/^[0-9a-f]{64}$/);

const Operation = z.discriminatedUnion("op", [
  z.object({ op: z.enum(["add", "replace"]), path: z.string(), value: z.unknown() }),
  z.object({ op: z.literal("remove"), path: z.string() }),
]);

const entryKeys = {
  /** Counts from 1, without gaps; equals the manifest's `revision`. */
  version: z.int().positive(),
  /** sha256 of the bytes of the entry before; null in the first. */
  previous: Digest.nullable(),
  /** Names the effect, not the attempt: an operation that is in the chain is never done again. */
  operation: z.string().min(1),
  /** What the operation answered, for whoever asks again. */
  result: Json,
  at: z.string(),
  /** sha256 of `manifest.json` as it was published for this version; absent where it was not published. */
  published_sha256: Digest.optional(),
};

/** One version of a manifest, as it lies in `state/manifest.<version>.json`. */
export const ChainEntry = z.union([
  z.object({ ...entryKeys, patch: z.array(Operation) }),
  z.object({ ...entryKeys, snapshot: z.record(z.string(), z.unknown()) }),
]);
export type ChainEntry = z.infer<typeof ChainEntry>;

/** The name of a version's file. */
export function entryFileName(version: number): string {
  return `manifest.${version}.json`;
}

/** The version that a file of `state/` holds; null for other files. */
export function entryVersion(fileName: string): number | null {
  const match = /^manifest\.([1-9]\d{0,14})\.json$/u.exec(fileName);
  return match === null ? null : Number(match[1]);
}

/** What comes before an entry, as far as the entry must agree with it. */
export interface ChainLink {
  readonly version: number;
  readonly digest: string | null;
}

/**
 * Reads an entry's text and checks that it follows on the one before.
 * @param fileName the file that holds it, where that is not its own
 * @throws TowpathError `StateCorrupt` naming the file
 */
export function parseEntry(
  text: string,
  before: ChainLink,
  fileName: string = entryFileName(before.version + 1),
): ChainEntry {
  const entry = readEntry(text, fileName);
  if (entry.version !== before.version + 1)
    throw corruptFile(fileName, `it says version ${entry.version} in the place of ${before.version + 1}`);
  if (entry.previous !== before.digest) {
    throw corruptFile(
      fileName,
      `version ${entry.version} does not follow on the one before it: one of the two was changed`,
    );
  }
  if (before.version === 0 && !("snapshot" in entry)) {
    throw corruptFile(fileName, "the first version holds no manifest");
  }
  return entry;
}

/**
 * Reads an entry's text alone, whatever comes before it.
 * @throws TowpathError `StateCorrupt` naming the file
 */
export function readEntry(text: string, fileName: string): ChainEntry {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw corruptFile(fileName, `it is not valid JSON: ${messageOf(error)}`, error);
  }
  const entry = ChainEntry.safeParse(json);
  if (!entry.success) throw corruptFile(fileName, "it is no version of a manifest", entry.error);
  return entry.data;
}

/** The error for a version that cannot be trusted. */
export function corrupt(version: number, why: string, cause?: unknown): TowpathError {
  return corruptFile(entryFileName(version), why, cause);
}

/** The same, by the name of its file below `state/`. */
export function corruptFile(fileName: string, why: string, cause?: unknown): TowpathError {
  return new TowpathError(
    "StateCorrupt",
    `state/${fileName} is damaged: ${why}. Restore the migration's directory from a backup`,
    { cause, details: { file: `state/${fileName}` } },
  );
}

/** The manifest document behind a run of entries that starts with a snapshot or continues `document`. */
export function replay(document: unknown, entries: readonly ChainEntry[]): unknown {
  const start = entries.findLastIndex((entry) => "snapshot" in entry);
  const first = entries[start];
  const base = first !== undefined && "snapshot" in first ? first.snapshot : document;
  return applyPatches(
    base,
    entries.slice(start + 1).map((entry) => ("patch" in entry ? entry.patch : [])),
  );
}

/**
 * Checks a manifest after a change, at the price of the change: step records that are the same object as before
 * are not looked at again.
 * @throws TowpathError `ManifestInvalid` with every problem
 */
export function checkedManifest(before: Manifest | null, candidate: unknown): Manifest {
  if (!isObject(candidate)) throw manifestInvalid("", ["it is no JSON object"]);
  const { steps, ...rest } = candidate;
  const result = Manifest.safeParse(rest);
  const problems = result.success ? [] : result.error.issues.map(describe);
  const records = checkedSteps(before?.steps, steps, problems);
  if (!result.success || problems.length > 0) throw manifestInvalid(idOf(candidate), problems);
  return records === undefined ? result.data : { ...result.data, steps: records };
}

function checkedSteps(
  before: Manifest["steps"],
  steps: unknown,
  problems: string[],
): Record<string, StepRecord> | undefined {
  if (steps === undefined || steps === before) return steps === before ? before : undefined;
  if (!isObject(steps)) {
    problems.push("steps: must be an object");
    return undefined;
  }
  // Ten thousand records are not copied for one that changed: they are taken as they stand where they are complete,
  // and only those that lack a key with a default (of an older version of this format) are replaced.
  const completed: Record<string, StepRecord> = {};
  const isGood = (record: unknown, id: string): record is StepRecord =>
    (record !== undefined && before?.[id] === record) || checkStep(id, record, completed, problems);
  // What comes from the records before was checked with them, but for what was replaced.
  const suspects = replacedKeys(before, steps) ?? Object.keys(steps);
  if (!areAll(steps, suspects, isGood)) return undefined;
  return Object.keys(completed).length === 0 ? steps : { ...steps, ...completed };
}

function checkStep(
  id: string,
  record: unknown,
  completed: Record<string, StepRecord>,
  problems: string[],
): boolean {
  const result = StepRecord.safeParse(record);
  if (!isStepId(id)) problems.push(`steps: '${id}' is no step id`);
  if (!result.success) problems.push(...result.error.issues.map((issue) => `steps.${id}.${describe(issue)}`));
  else if (diff(record, result.data).length > 0) completed[id] = result.data;
  return result.success && isStepId(id);
}

/** @param keys those to look at: the values of all others are known to pass */
function areAll<T>(
  record: Record<string, unknown>,
  keys: Iterable<string>,
  test: (value: unknown, key: string) => value is T,
): record is Record<string, T> {
  let all = true;
  for (const key of keys) all = test(record[key], key) && all;
  return all;
}

function describe(issue: z.core.$ZodIssue): string {
  return `${issue.path.map(String).join(".")}: ${issue.message}`;
}

function idOf(candidate: Record<string, unknown>): string {
  return typeof candidate["id"] === "string" ? candidate["id"] : "";
}

/** The error for a manifest that is not what a manifest must be. */
export function manifestInvalid(id: string, problems: readonly string[], cause?: unknown): TowpathError {
  const shown = problems.slice(0, 10).join("; ");
  return new TowpathError(
    "ManifestInvalid",
    `The manifest${id === "" ? "" : ` of ${id}`} is invalid: ${shown}`,
    {
      cause,
      details: { problems: problems.slice(0, 100) },
    },
  );
}

/**
 * The next version of a manifest with what must always be true brought up to date, frozen.
 * @throws TowpathError `ManifestInvalid`
 */
export function nextManifest(before: Manifest | null, candidate: unknown, at: string): Manifest {
  const manifest = checkedManifest(before, candidate);
  if (before !== null && manifest.id !== before.id) {
    throw manifestInvalid(before.id, [`id: must stay '${before.id}', but is '${manifest.id}'`]);
  }
  return deepFreeze({
    ...manifest,
    revision: (before?.revision ?? 0) + 1,
    updated_at: at,
    progress_pct: progressPercent(manifest),
  });
}

/** What a change is recorded as: the patch, or the whole once patches weigh more than it. */
export function entryBody(
  before: Manifest | null,
  after: Manifest,
  weight: { readonly patches: number; readonly snapshot: number },
): { readonly snapshot: Manifest } | { readonly patch: readonly PatchOperation[] } {
  const patch = diff(before ?? {}, after);
  if (before === null) return { snapshot: after };
  return weight.patches > weight.snapshot ? { snapshot: after } : { patch };
}

/**
 * A manifest with somebody's edit of `manifest.json` taken in.
 * @param base the version that was edited
 * @returns null where the edit touches a key that is Towpath's own: such an edit is not taken in
 */
export function withForeignKeys(manifest: Manifest, base: Manifest, edited: unknown): unknown {
  if (!isObject(edited)) return null;
  const changed = new Set(diff(base, edited).map(({ path }) => topLevelKey(path)));
  if ([...changed].some((key) => Object.hasOwn(Manifest.shape, key))) return null;
  const taken: Record<string, unknown> = { ...manifest };
  for (const key of changed) {
    if (edited[key] === undefined) delete taken[key];
    else taken[key] = edited[key];
  }
  return taken;
}

function topLevelKey(pointer: string): string {
  return (pointer.split("/")[1] ?? "").replaceAll("~1", "/").replaceAll("~0", "~");
}

/** The bytes of `manifest.json`. */
export function publishedText(manifest: Manifest): string {
  return `${JSON.stringify(manifest, null, 2)}\n`;
}
