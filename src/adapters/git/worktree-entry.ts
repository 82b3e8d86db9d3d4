import { readdir } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { z } from "zod";
import { readIfPresent, replaceFile } from "./files.js";
import { isMissing } from "../../model/system-errors.js";

/** Written into the worktree's git directory as the last act of laying it: without it the work was interrupted. */
const Marker = z.object({
  migration: z.string(),
  branch: z.string(),
  incarnation: z.string(),
});
export type Marker = z.infer<typeof Marker>;

/** One of the repository's registered worktrees. */
export interface WorktreeEntry {
  readonly gitDir: string;
  /** Null when laying it was interrupted, or when it is nobody of ours. */
  readonly marker: Marker | null;
  /** The content of its HEAD file. */
  readonly head: string | null;
}

/** The entry that the repository keeps for the worktree at `path`, or null. */
export async function findEntry(commonDir: string, path: string): Promise<WorktreeEntry | null> {
  const entries = join(commonDir, "worktrees");
  const names = await readdir(entries).catch((error: unknown) => {
    if (isMissing(error)) return [];
    throw error;
  });
  // Git names an entry after the directory, so that one is looked at first.
  names.sort((a, b) => Number(b === basename(path)) - Number(a === basename(path)));
  for (const name of names) {
    const gitDir = join(entries, name);
    if ((await worktreeOf(gitDir)) === path) return readEntry(gitDir);
  }
  return null;
}

export async function writeMarker(gitDir: string, marker: Marker): Promise<void> {
  replaceFile(join(gitDir, "towpath.json"), `${JSON.stringify(marker)}\n`);
}

async function worktreeOf(gitDir: string): Promise<string | null> {
  const link = readIfPresent(join(gitDir, "gitdir"))?.replace(/\n$/, "");
  return link === undefined ? null : dirname(resolve(gitDir, link));
}

async function readEntry(gitDir: string): Promise<WorktreeEntry> {
  const text = readIfPresent(join(gitDir, "towpath.json"));
  const head = readIfPresent(join(gitDir, "HEAD"));
  const marker = text === null ? null : parseMarker(text);
  return { gitDir, marker, head };
}

function parseMarker(text: string): Marker | null {
  try {
    return Marker.parse(JSON.parse(text));
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof z.ZodError) return null;
    throw error;
  }
}
