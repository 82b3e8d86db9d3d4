import { spawnSync } from "node:child_process";
import { closeSync, openSync, rmSync, statfsSync, writeSync } from "node:fs";
import { mkdtemp, mkdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/**
 * A small file system of a test's own; null where this user may not mount one.
 * @param at where it goes; a new directory by default
 */
export async function smallDisk(
  cleanups: (() => Promise<void>)[],
  { megabytes = 12, at }: { readonly megabytes?: number; readonly at?: string } = {},
): Promise<string | null> {
  const directory = at ?? (await mkdtemp(join(tmpdir(), "towpath-disk-")));
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const options = `size=${megabytes}m,mode=0755`;
  if (spawnSync("mount", ["-t", "tmpfs", "-o", options, "towpath-test", directory]).status !== 0) return null;
  cleanups.push(async () => {
    spawnSync("umount", ["--lazy", directory]);
    rmSync(directory, { recursive: true, force: true });
  });
  return directory;
}

/** Leaves at most so many bytes free; the answer makes room again. */
export function fill(disk: string, leave: number): () => void {
  const path = join(disk, "filler");
  const file = openSync(path, "w");
  const { bavail, bsize } = statfsSync(disk);
  const block = Buffer.alloc(64 * 1024);
  let left = bavail * bsize - leave;
  try {
    while (left > 0) left -= writeSync(file, block, 0, Math.min(left, block.length));
  } catch (error) {
    // Others wrote meanwhile: full is full.
    if (!(error instanceof Error && "code" in error && error.code === "ENOSPC")) throw error;
  }
  closeSync(file);
  return () => rmSync(path);
}
