import { randomBytes } from "node:crypto";
import { link, readFile, realpath, stat } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { TowpathError } from "../../model/errors.js";
import type { HostPlace } from "../../model/hosts.js";
import { HostId, makeHostId } from "../../model/queues.js";
import { readTextIfPresent, removeFile, writePrivateFile } from "./files.js";
import { hasCode } from "../../model/system-errors.js";

const HostFile = z.object({ hostId: HostId });

/**
 * The id of the host that owns this data directory: drawn once, then always the same.
 * Any number of processes may ask first at the same time; they all get one answer.
 * @throws TowpathError `StateCorrupt` where `host.json` does not hold a host id
 */
export async function hostId(dataDir: string): Promise<HostId> {
  const path = hostFile(dataDir);
  const known = await readTextIfPresent(path);
  if (known !== null) return parseHostFile(path, known);

  const candidate = `${path}.${randomBytes(4).toString("hex")}`;
  await writePrivateFile(
    candidate,
    `${JSON.stringify({ hostId: makeHostId(hostname(), randomBytes(4)) })}\n`,
  );
  try {
    // link(2) refuses an existing name, so that the first one wins with its whole content.
    await link(candidate, path);
  } catch (error) {
    if (!hasCode(error, "EEXIST")) throw error;
  } finally {
    await removeFile(candidate);
  }
  return parseHostFile(path, await readFile(path, "utf8"));
}

/** Tells this data directory from its copies; its host id has been drawn. */
export async function hostPlace(dataDir: string): Promise<HostPlace> {
  const { ino, birthtimeMs } = await stat(hostFile(dataDir), { bigint: true });
  return { machine: hostname(), dataDir: await realpath(dataDir), inode: `${ino}.${birthtimeMs}` };
}

function hostFile(dataDir: string): string {
  return join(dataDir, "host.json");
}

function parseHostFile(path: string, text: string): HostId {
  try {
    return HostFile.parse(JSON.parse(text)).hostId;
  } catch (cause) {
    throw new TowpathError(
      "StateCorrupt",
      `${path} does not hold a host id. Restore it; without it this machine's migrations cannot be found again.`,
      { cause, details: { path } },
    );
  }
}
