import { createHash, type Hash } from "node:crypto";
import { type BigIntStats, lstatSync, readdirSync, readFileSync } from "node:fs";
import { hasCode } from "../../model/system-errors.js";
import { onDisk, type RawPath } from "./paths.js";
import type { Worktree } from "./places.js";

/**
 * All files of a worktree at one moment, tracked or not, as a digest of what the system tells of each: two that are
 * the same prove, without asking git, that nobody has changed, added or removed a file in between.
 */
export interface FileListing {
  readonly digest: string;
  /** Files that were written so shortly before that times alone would not show another write: their content counts. */
  readonly recent: readonly RawPath[];
}

/** `too-many`: git tells as quickly; `unsure`: it may be told later. */
export type Listing = FileListing | "too-many" | "unsure";

/** Looking at so many files takes about as long as a git process. */
const MOST_ENTRIES = 500;

/**
 * A file system notes times by its clock's ticks (at most 10 ms). A file that is not within a tick of the newest one
 * cannot be written again without its time changing.
 */
const TICK_NS = 12_000_000n;
/** More than the clocks of this machine and of a file system's server are apart. */
const CLOCKS_APART_NS = 2_000_000_000n;
const MOST_RECENT = 20;
const MOST_RECENT_BYTES = 65_536n;

interface Entry {
  readonly path: RawPath;
  /** null for a directory. */
  readonly stats: BigIntStats | null;
}

/** Lists the worktree's files; links are not followed. */
export function listWorktree(worktree: Worktree): Listing {
  return orUnsure(() => {
    const entries = entriesBelow(worktree);
    if (entries === null) return "too-many";
    const recent = recentOf(entries, BigInt(Date.now()) * 1_000_000n);
    return recent === null ? "unsure" : { digest: digestOf(worktree, entries, recent), recent };
  });
}

/** Lists them unless there were too many when they were listed before. */
export function listAgain(worktree: Worktree, before: Listing): Listing {
  return before === "too-many" ? before : listWorktree(worktree);
}

/** Whether every file still is as it was listed. */
export function isAsListed(worktree: Worktree, listing: Listing): boolean {
  if (typeof listing !== "object") return false;
  const found = orUnsure(() => {
    const entries = entriesBelow(worktree);
    return entries === null
      ? "too-many"
      : { ...listing, digest: digestOf(worktree, entries, listing.recent) };
  });
  return typeof found === "object" && found.digest === listing.digest;
}

/** What cannot be looked at, or changes while it is, is left for git to tell. */
function orUnsure(list: () => Listing): Listing {
  try {
    return list();
  } catch (error) {
    if (hasCode(error, "ENOENT", "ENOTDIR", "EISDIR", "EACCES", "ELOOP", "ENAMETOOLONG")) return "unsure";
    throw error;
  }
}

/** Every directory in front of what it holds, names in order. Synchronous: so quickest, and nothing comes in between. */
function entriesBelow(worktree: Worktree): Entry[] | null {
  const found: Entry[] = [];
  const open: RawPath[] = [""];
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    const directory = onDisk(worktree, at);
    const names = readdirSync(directory, { withFileTypes: true, encoding: "latin1" });
    if (found.length + names.length > MOST_ENTRIES) return null;
    for (const name of names.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const path = at === "" ? name.name : `${at}/${name.name}`;
      const isDirectory = name.isDirectory();
      if (isDirectory) open.push(path);
      found.push({ path, stats: isDirectory ? null : lstatSync(onDisk(worktree, path), { bigint: true }) });
    }
  }
  return found;
}

/** Null when there are too many of them, or too large ones. */
function recentOf(entries: readonly Entry[], now: bigint): RawPath[] | null {
  let newest = 0n;
  for (const { stats } of entries) if (stats !== null && stats.ctimeNs > newest) newest = stats.ctimeNs;
  const recent = entries.filter(
    ({ stats }) =>
      stats !== null && stats.ctimeNs >= newest - TICK_NS && stats.ctimeNs >= now - CLOCKS_APART_NS,
  );
  const isTooMuch = recent.some(({ stats }) => stats?.isFile() !== true || stats.size > MOST_RECENT_BYTES);
  return isTooMuch || recent.length > MOST_RECENT ? null : recent.map(({ path }) => path);
}

function digestOf(worktree: Worktree, entries: readonly Entry[], recent: readonly RawPath[]): string {
  const hash = createHash("sha256");
  for (const entry of entries) addEntry(hash, entry);
  for (const path of recent) hash.update(readFileSync(onDisk(worktree, path)));
  return hash.digest("hex");
}

function addEntry(hash: Hash, { path, stats }: Entry): void {
  const { mode, ino, size, mtimeNs, ctimeNs } = stats ?? DIRECTORY;
  hash.update(`${path}\0${mode} ${ino} ${size} ${mtimeNs} ${ctimeNs}\0`, "latin1");
}

const DIRECTORY = { mode: "directory", ino: 0, size: 0, mtimeNs: 0, ctimeNs: 0 };
