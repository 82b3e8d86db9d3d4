import type { BigIntStats } from "node:fs";
import { z } from "zod";
import type { CodeRecord } from "../../model/requirements/code.js";
import { readRegularFile, renameInto, sha256, writeTemporary } from "../store/files.js";
import { TowpathError } from "../../model/errors.js";
import { isDirectoryThere } from "./directories.js";
import type { RequirementsPaths } from "./paths.js";
import { hasCode } from "../../model/system-errors.js";

/** How a file was read: wholly, or only its head and tail. */
export type Reading = "whole" | "sampled";

type Content = Pick<CodeRecord, "kind" | "digest">;

interface Remembered extends Content {
  readonly stamp: string;
}

const Header = z.object({ format: z.literal(1), reading: z.enum(["whole", "sampled"]), digest: z.string() });

/**
 * How much older than its reading the last change of a file must be, in ms, to be recognised by it: a file system's clock may
 * be that coarse, and a second change in the same tick would go unseen.
 */
const SETTLED_MS = 2_000;

/**
 * What is remembered of files' contents, so that unchanged files are not read again. Inode, size, mode and both times tell whether one
 * may have changed; what they say is never part of a signature.
 */
export class CodeIndex {
  private readonly next = new Map<string, Remembered>();
  private changed = false;

  private constructor(
    private readonly known: ReadonlyMap<string, Remembered>,
    private readonly reading: Reading,
  ) {}

  /** The index as it was saved; an empty one where there is none that fits, or none is wanted. */
  static async load(path: string | null, reading: Reading): Promise<CodeIndex> {
    const bytes = path === null ? null : ((await readRegularFile(path))?.bytes ?? null);
    return new CodeIndex(bytes === null ? new Map() : parse(bytes.toString("latin1"), reading), reading);
  }

  /** What a file holds, where it cannot have changed since that was found out. */
  find(path: string, stats: BigIntStats): Content | null {
    const known = this.known.get(path);
    if (known === undefined || known.stamp !== stampOf(stats)) return null;
    this.next.set(path, known);
    return known;
  }

  /** Remembers what a file holds that was read at a moment, in ms since the epoch. */
  remember(path: string, stats: BigIntStats, content: Content, readAt: number): void {
    const touched = stats.ctimeMs > stats.mtimeMs ? stats.ctimeMs : stats.mtimeMs;
    if (Number(touched) + SETTLED_MS > readAt) return;
    this.changed = true;
    this.next.set(path, { ...content, stamp: stampOf(stats) });
  }

  /** Saves what was remembered or found; where the disk does not take it, the next reader reads more files. */
  async save(paths: RequirementsPaths): Promise<void> {
    if (!this.changed && this.next.size === this.known.size) return;
    if (!(await isDirectoryThere(paths.state))) return;
    const body = [...this.next]
      .map(([path, { kind, digest, stamp }]) => `${kind}${digest} ${stamp} ${path}\0`)
      .join("");
    const bytes = Buffer.from(body, "latin1");
    const header = JSON.stringify({ format: 1, reading: this.reading, digest: sha256(bytes) });
    try {
      const content = Buffer.concat([Buffer.from(`${header}\n`), bytes]);
      const temporary = await writeTemporary(paths.state, content, paths.index);
      renameInto(temporary.path, paths.index);
    } catch (error) {
      const cause = error instanceof TowpathError ? error.cause : error;
      if (!hasCode(cause, "ENOSPC", "EDQUOT", "EACCES", "EPERM", "EROFS")) throw error;
    }
  }
}

function stampOf({ ino, mode, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return `${ino}/${mode}/${size}/${mtimeNs}/${ctimeNs}`;
}

function parse(text: string, reading: Reading): Map<string, Remembered> {
  const newline = text.indexOf("\n");
  const body = text.slice(newline + 1);
  const header = Header.safeParse(jsonOrNull(text.slice(0, Math.max(newline, 0))));
  const fits = header.success && header.data.reading === reading;
  if (!fits || header.data.digest !== sha256(Buffer.from(body, "latin1"))) return new Map();
  return new Map(body.split("\0").flatMap(parseRecord));
}

function parseRecord(record: string): [string, Remembered][] {
  const match = /^([fx])([0-9a-f]+) (\S+) ([^]+)$/.exec(record);
  if (match === null) return [];
  const [, kind, digest = "", stamp = "", path = ""] = match;
  return [[path, { kind: kind === "x" ? "x" : "f", digest, stamp }]];
}

function jsonOrNull(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}
