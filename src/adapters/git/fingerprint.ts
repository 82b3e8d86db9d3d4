import { createHash } from "node:crypto";
import {
  type BigIntStats,
  closeSync,
  fstatSync,
  lstatSync,
  readdirSync,
  readFileSync,
  readlinkSync,
} from "node:fs";
import { homedir } from "node:os";
import { dirname, isAbsolute, join, resolve } from "node:path";
import { TowpathError } from "../../model/errors.js";
import { listFiles } from "../../model/scope.js";
import { translated } from "./context.js";
import { lstatIfPresent, openAnything } from "./files.js";
import type { Worktree } from "./places.js";
import { hasCode, isMissing } from "../../model/system-errors.js";

/** Plain JSON: it crosses from the activity that takes it to the one that compares. */
export interface ConfigurationFingerprint {
  /** sha256 over all of `files`. */
  readonly digest: string;
  /** Path → sha256 of its content (of a link: its target as well). */
  readonly files: Readonly<Record<string, string>>;
}

/** Directories of a git directory that hold data and no configuration. */
const DATA = new Set(["objects", "refs", "logs", "rr-cache", "lfs", "worktrees", "lost-found"]);

/** Includes of includes, as deep as git itself follows them. */
const INCLUDE_DEPTH = 10;

/**
 * Digests of what in a git directory can make git run a program or look elsewhere: configuration and what it includes,
 * hooks, attributes, the links between worktree and repository, and the same of submodules. `info/exclude` is not among
 * them: agents write their own files into it, and it runs nothing.
 */
export async function configurationFingerprint(worktree: Worktree): Promise<ConfigurationFingerprint> {
  return translated(`Cannot read the git configuration of ${worktree.path}`, undefined, () =>
    Promise.resolve(take(worktree)),
  );
}

/** Synchronous: dozens of small files, three times a step, are read sooner than through the thread pool. */
function take(worktree: Worktree): ConfigurationFingerprint {
  const files = new Map<string, string>();
  const { commonDir, gitDir, path } = worktree;
  addGitDirectory(files, commonDir);
  addConfig(files, join(gitDir, "config.worktree"));
  for (const name of ["commondir", "gitdir"]) addFile(files, join(gitDir, name));
  addFile(files, join(path, ".git"));
  addModules(files, join(gitDir, "modules"));
  const sorted = Object.fromEntries([...files].sort(([a], [b]) => (a < b ? -1 : 1)));
  return { digest: createHash("sha256").update(JSON.stringify(sorted)).digest("hex"), files: sorted };
}

/** The files that were added, removed or changed between two fingerprints, sorted. */
export function changedConfiguration(
  before: ConfigurationFingerprint,
  after: ConfigurationFingerprint,
): string[] {
  const paths = new Set([...Object.keys(before.files), ...Object.keys(after.files)]);
  return [...paths].filter((path) => before.files[path] !== after.files[path]).sort();
}

/**
 * Refuses to go on after a step that changed what git runs.
 * @throws TowpathError `GitConfigurationChanged`, naming the files
 */
export function requireSameConfiguration(
  before: ConfigurationFingerprint,
  after: ConfigurationFingerprint,
): void {
  if (before.digest === after.digest) return;
  const files = changedConfiguration(before, after);
  throw new TowpathError(
    "GitConfigurationChanged",
    `the step changed git configuration or hooks, which git would run or obey from now on: ${listFiles(files)}. ` +
      "Look at these files and put them back before you retry.",
    { details: { files } },
  );
}

function addGitDirectory(files: Map<string, string>, gitDir: string): void {
  addConfig(files, join(gitDir, "config"));
  addConfig(files, join(gitDir, "config.worktree"));
  addFile(files, join(gitDir, "info", "attributes"));
  addFile(files, join(gitDir, "objects", "info", "alternates"));
  for (const name of namesIn(join(gitDir, "hooks"))) addFile(files, join(gitDir, "hooks", name));
  addModules(files, join(gitDir, "modules"));
}

/** Submodules' git directories lie at any depth, since a submodule's name may contain slashes. */
function addModules(files: Map<string, string>, directory: string): void {
  const found = lstatIfPresent(directory);
  // What a link leads to need not end: that it is there, and where it leads to, is noted.
  if (found?.isSymbolicLink() === true) addFile(files, directory);
  if (found?.isDirectory() !== true) return;
  const names = namesIn(directory);
  if (names.includes("config") && names.includes("objects")) addGitDirectory(files, directory);
  else for (const name of names) if (!DATA.has(name)) addModules(files, join(directory, name));
}

function addConfig(files: Map<string, string>, path: string, depth = 0): void {
  const text = addFile(files, path);
  if (text === null || depth >= INCLUDE_DEPTH) return;
  for (const included of includes(text)) {
    const target = included.startsWith("~/") ? join(homedir(), included.slice(2)) : included;
    const file = isAbsolute(target) ? target : resolve(dirname(path), target);
    if (!files.has(file)) addConfig(files, file, depth + 1);
  }
}

/** Every `path` of an include section; a line too many costs nothing, so conditions are not evaluated. */
function includes(config: string): string[] {
  if (!/\[\s*include/i.test(config)) return [];
  const values = [...config.matchAll(/(?:^|\])\s*path\s*=\s*(.+)$/gim)].map((match) => match[1] ?? "");
  return values.map((value) => value.trim().replaceAll(/^"|"$/g, ""));
}

interface ReadFile {
  readonly stamp: string;
  readonly digest: string;
  readonly text: string;
}

const SETTLED_MS = 1_000;
const MAX_READ_BYTES = 1024n * 1024n;
const MAX_FILES = 100_000;
const MAX_REMEMBERED = 1_000;
const MAX_REMEMBERED_CHARACTERS = 64 * 1024;

/** Files that were read, by path; a link is not among them, for what it leads to may change without it. */
const remembered = new Map<string, ReadFile>();

function remember(path: string, file: ReadFile): void {
  if (file.text.length > MAX_REMEMBERED_CHARACTERS) return;
  if (remembered.size >= MAX_REMEMBERED) remembered.clear();
  remembered.set(path, file);
}

/**
 * Notes the file's digest. A file that has not changed since it was last read is not read again: the kernel sets the
 * time of its last change, which nobody without the machine's clock in hand can set back.
 * @param isLinked whether the directory that it lies in is there by a link: those below it do not count, for what such a
 * link leads to need not end
 * @returns its text, or null where there is none
 */
function addFile(files: Map<string, string>, path: string, isLinked: boolean = false): string | null {
  if (files.size >= MAX_FILES) throw tooMany(path);
  try {
    const found = lstatSync(path, { bigint: true });
    const stamp = stampOf(found);
    const known = remembered.get(path);
    if (known?.stamp === stamp) {
      files.set(path, known.digest);
      return known.text;
    }
    const hash = createHash("sha256").update(`${found.mode}\0`);
    const isLink = found.isSymbolicLink();
    if (isLink) hash.update(`${readlinkSync(path)}\0`);
    const content = contentOf(path);
    if (content === "directory" && !isLinked) {
      for (const name of namesIn(path)) addFile(files, join(path, name), isLink);
      return null;
    }
    const digest = hash.update(content).digest("hex");
    const text = content.toString();
    files.set(path, digest);
    // What was changed just now may be changed again within the tick of the file system's clock.
    const isSettled = Date.now() - Number(found.ctimeMs) > SETTLED_MS;
    if (found.isFile() && isSettled) remember(path, { stamp, digest, text });
    return text;
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}

/** What there is to read; a FIFO or a device would never end, and of a large file its times tell as much. */
function contentOf(path: string): Buffer | string {
  let file: number;
  try {
    file = openAnything(path);
  } catch (error) {
    if (hasCode(error, "ENXIO", "ENODEV")) return "no file";
    throw error;
  }
  try {
    const stats = fstatSync(file, { bigint: true });
    if (stats.isDirectory()) return "directory";
    if (!stats.isFile()) return "no file";
    return stats.size <= MAX_READ_BYTES ? readFileSync(file) : stampOf(stats);
  } finally {
    closeSync(file);
  }
}

function tooMany(path: string): TowpathError {
  return new TowpathError(
    "GitFailed",
    `The git directory holds more than ${MAX_FILES} hooks and configuration files; ${path} is one too many`,
  );
}

function stampOf({ dev, ino, mode, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return `${dev} ${ino} ${mode} ${size} ${mtimeNs} ${ctimeNs}`;
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}
