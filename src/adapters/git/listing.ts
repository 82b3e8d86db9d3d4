import { createHash } from "node:crypto";
import { type BigIntStats, lstatSync, readdirSync } from "node:fs";
import { hasCode } from "../../model/system-errors.js";
import { bytesIfPresent } from "./files.js";
import { onDisk, type RawPath } from "./paths.js";
import type { Worktree } from "./places.js";

/**
 * All files of a worktree at one moment, tracked or not, by what the system tells of each: two that are the same prove,
 * without asking git, that nobody has changed, added or removed a file in between.
 */
export interface FileListing {
  /** Kind, mode, inode, size and times of each file; of a directory, that it is one. */
  readonly stamps: ReadonlyMap<RawPath, string>;
  /** Digests of files that were written so shortly before that times alone would not show another write. */
  readonly recent: ReadonlyMap<RawPath, string>;
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
  return orUnsure((): Listing => {
    const entries = entriesBelow(worktree);
    if (entries === null) return "too-many";
    const recent = recentOf(entries, BigInt(Date.now()) * 1_000_000n);
    if (recent === null) return "unsure";
    return {
      stamps: new Map(entries.map((entry) => [entry.path, stampOf(entry)])),
      recent: new Map(recent.map(({ path }) => [path, contentDigest(worktree, path)])),
    };
  });
}

/** Lists them unless there were too many when they were listed before. */
export function listAgain(worktree: Worktree, before: Listing): Listing {
  return before === "too-many" ? before : listWorktree(worktree);
}

/** Whether every file still is as it was listed. */
export function isAsListed(worktree: Worktree, listing: Listing): boolean {
  return touchedSince(worktree, listing)?.length === 0;
}

/**
 * The regular files that were written since the worktree was listed, perhaps to the same content.
 * @returns null where anything else was changed too, a name, a kind or a mode, or where it cannot be told
 */
export function touchedSince(worktree: Worktree, listing: Listing): readonly RawPath[] | null {
  if (typeof listing !== "object") return null;
  const touched = orUnsure(() => {
    const entries = entriesBelow(worktree);
    return entries?.length === listing.stamps.size ? touchedOf(worktree, entries, listing) : "unsure";
  });
  return touched === "unsure" ? null : touched;
}

function touchedOf(
  worktree: Worktree,
  entries: readonly Entry[],
  { stamps, recent }: FileListing,
): readonly RawPath[] | "unsure" {
  const touched: RawPath[] = [];
  for (const entry of entries) {
    const [before, now] = [stamps.get(entry.path), stampOf(entry)];
    const content = recent.get(entry.path);
    if (before === now) {
      if (content !== undefined && content !== contentDigest(worktree, entry.path)) touched.push(entry.path);
    } else {
      if (before === undefined || modeIn(before) !== modeIn(now) || !entry.stats?.isFile()) return "unsure";
      touched.push(entry.path);
    }
  }
  return touched;
}

/** What cannot be looked at, or changes while it is, is left for git to tell. */
function orUnsure<T>(look: () => T): T | "unsure" {
  try {
    return look();
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
function recentOf(entries: readonly Entry[], now: bigint): Entry[] | null {
  let newest = 0n;
  for (const { stats } of entries) if (stats !== null && stats.ctimeNs > newest) newest = stats.ctimeNs;
  const recent = entries.filter(
    ({ stats }) =>
      stats !== null && stats.ctimeNs >= newest - TICK_NS && stats.ctimeNs >= now - CLOCKS_APART_NS,
  );
  const isTooMuch = recent.some(({ stats }) => stats?.isFile() !== true || stats.size > MOST_RECENT_BYTES);
  return isTooMuch || recent.length > MOST_RECENT ? null : recent;
}

/** Only of what is known to be a small file. */
function contentDigest(worktree: Worktree, path: RawPath): string {
  const content = bytesIfPresent(onDisk(worktree, path));
  return createHash("sha256")
    .update(content ?? "")
    .digest("hex");
}

function stampOf({ stats }: Entry): string {
  if (stats === null) return "directory";
  const { mode, ino, size, mtimeNs, ctimeNs } = stats;
  return `${mode} ${ino} ${size} ${mtimeNs} ${ctimeNs}`;
}

function modeIn(stamp: string): string {
  return stamp.slice(0, stamp.indexOf(" "));
}
