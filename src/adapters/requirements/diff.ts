import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { diffFiles } from "../git/file-diff.js";

interface NamedBytes {
  /** A plain file name: the patch shows it. */
  readonly name: string;
  readonly bytes: Uint8Array;
}

/**
 * The difference between two documents as a patch; "" where they are the same.
 * @throws TowpathError `GitFailed`
 */
export async function diffDocuments(from: NamedBytes, to: NamedBytes): Promise<string> {
  if (Buffer.from(from.bytes).equals(to.bytes)) return "";
  const directory = await mkdtemp(join(tmpdir(), "towpath-diff-"));
  try {
    await writeFile(join(directory, from.name), from.bytes);
    await writeFile(join(directory, to.name), to.bytes);
    return await diffFiles(directory, from.name, to.name);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
