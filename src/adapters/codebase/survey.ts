import { realpath } from "node:fs/promises";
import { join } from "node:path";
import picomatch from "picomatch";
import { TowpathError, messageOf } from "../../model/errors.js";
import type { FileFact, ManifestText, SkippedFiles, SurveyFacts } from "../../model/survey/facts.js";
import { readNames } from "../../model/survey/imports.js";
import { directoryOf, languageOf } from "../../model/survey/languages.js";
import { isManifest } from "../../model/survey/manifests.js";
import { summarise } from "../../model/survey/summary.js";
import { walkFiles } from "./list-files.js";
import { measureFile, readText } from "./read-file.js";
import { hasCode } from "../../model/system-errors.js";

export interface SurveyOptions {
  readonly signal?: AbortSignal;
  /** Globs, relative to the project; dot files match like others. */
  readonly ignore?: readonly string[];
  /**
   * Paths relative to the project, as git lists them; without, the directory is walked. What leads out of the project
   * is left out.
   */
  readonly files?: Iterable<string>;
}

/** A tree beyond this size is surveyed by its first files, and the rest is counted. */
const MAX_FILES = 200_000;
const CONCURRENCY = 32;

class Survey {
  private readonly files: FileFact[] = [];
  private readonly manifests: ManifestText[] = [];
  private readonly skipped = {
    binary: 0,
    tooLarge: 0,
    symlinks: 0,
    missing: 0,
    unreadable: 0,
    beyondLimit: 0,
  };
  private readonly directories = new Map<string, Promise<boolean>>();
  private seen = 0;

  constructor(private readonly root: string) {}

  async add(path: string): Promise<void> {
    if (++this.seen > MAX_FILES) this.skip("beyondLimit");
    else if (!(await this.isInside(directoryOf(path)))) this.skip("symlinks");
    else if (languageOf(path) === null && !isManifest(path)) await this.measure(path);
    else await this.read(path);
  }

  facts(): SurveyFacts {
    return summarise({ files: this.files, manifests: this.manifests, skipped: this.skipped });
  }

  private skip(why: keyof SkippedFiles): void {
    this.skipped[why]++;
  }

  /** A directory that is a link, or lies behind one, is not followed. */
  private isInside(directory: string): Promise<boolean> {
    const known = this.directories.get(directory) ?? this.resolvesToItself(directory);
    this.directories.set(directory, known);
    return known;
  }

  private async resolvesToItself(directory: string): Promise<boolean> {
    const full = join(this.root, directory);
    try {
      return (await realpath(full)) === full;
    } catch (error) {
      // Gone, or closed to us: its files are reported as missing or unreadable, one by one.
      if (hasCode(error, "ENOENT", "ENOTDIR", "EACCES", "ENAMETOOLONG")) return true;
      if (hasCode(error, "ELOOP")) return false;
      throw new TowpathError("StorageFailed", `Cannot resolve ${full}: ${messageOf(error)}`, {
        cause: error,
      });
    }
  }

  private async measure(path: string): Promise<void> {
    const measured = await measureFile(this.root, path);
    if (measured.kind === "skipped") return this.skip(measured.why);
    this.files.push({ path, language: null, bytes: measured.bytes, lines: 0, imports: [], declares: null });
  }

  private async read(path: string): Promise<void> {
    const read = await readText(this.root, path);
    const language = languageOf(path);
    if (read.kind === "skipped") {
      this.skip(read.why);
      if (read.why !== "tooLarge") return;
      this.files.push({ path, language, bytes: read.bytes, lines: 0, imports: [], declares: null });
      return;
    }
    const names = language === null ? { imports: [], declares: null } : readNames(language, read.text);
    this.files.push({ path, language, bytes: read.bytes, lines: countLines(read.text), ...names });
    if (isManifest(path)) this.manifests.push({ path, text: read.text });
  }
}

function countLines(text: string): number {
  let lines = 0;
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) lines++;
  return text === "" || text.endsWith("\n") ? lines : lines + 1;
}

function isPlainPath(path: string): boolean {
  return (
    path !== "" &&
    !path.includes("\0") &&
    !path.split("/").some((part) => part === "" || part === "." || part === "..")
  );
}

/**
 * Looks at a project without running anything of it: languages, modules and what they import of each other, packages
 * from outside, how it is tested. Equal trees give equal facts.
 * @throws TowpathError `StorageFailed` where the project cannot be read
 * @throws the signal's reason when it is aborted
 */
export async function surveyCodebase(projectDir: string, options: SurveyOptions = {}): Promise<SurveyFacts> {
  const { signal, ignore = [], files } = options;
  const root = await rootOf(projectDir);
  const ignored = ignore.length === 0 ? () => false : picomatch([...ignore], { dot: true });
  const survey = new Survey(root);
  const paths = files === undefined ? walkFiles(root, signal) : given(files);
  const state = { failed: false };
  const work = async (): Promise<void> => {
    try {
      for (let next = await paths.next(); next.done !== true && !state.failed; next = await paths.next()) {
        signal?.throwIfAborted();
        if (isPlainPath(next.value) && !ignored(next.value)) await survey.add(next.value);
      }
    } catch (error) {
      state.failed = true;
      throw error;
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, work));
  return survey.facts();
}

async function rootOf(projectDir: string): Promise<string> {
  try {
    return await realpath(projectDir);
  } catch (error) {
    throw new TowpathError("StorageFailed", `Cannot survey ${projectDir}: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

/** git lists a file several times while a merge is open. */
async function* given(files: Iterable<string>): AsyncGenerator<string> {
  yield* new Set(files);
}

/**
 * The texts of files at a project's root that are there and can be read; one that is too large counts as empty.
 * @throws TowpathError `StorageFailed`
 */
export async function readRootFiles(
  projectDir: string,
  names: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const root = await rootOf(projectDir);
  const texts = new Map<string, string>();
  for (const name of names) {
    const read = await readText(root, name);
    if (read.kind === "text") texts.set(name, read.text);
    else if (read.why === "tooLarge") texts.set(name, "");
  }
  return texts;
}
