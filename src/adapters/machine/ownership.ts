import { chmod, chown, lchown, lstat, readdir } from "node:fs/promises";
import { join } from "node:path";
import { messageOf, TowpathError } from "../../model/errors.js";

/** A user of the system by numbers. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** Whom this process acts as. */
export function ownUser(): Owner {
  return { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 };
}

/** It lies below the data directory, which only its owner may enter. */
const SHARED_DIRECTORY = 0o777;

/**
 * Gives everything below a directory to a user; links are not followed. Only root can do so.
 * @param keepTop the directory itself keeps its owner and lets the user add to it
 * @param except names directly below it that keep theirs
 * @throws TowpathError `StorageFailed`
 */
export async function giveTree(
  directory: string,
  owner: Owner,
  { keepTop, except = [] }: { readonly keepTop: boolean; readonly except?: readonly string[] },
): Promise<void> {
  try {
    if (keepTop) await chmod(directory, SHARED_DIRECTORY);
    else await chown(directory, owner.uid, owner.gid);
    await giveEntries(directory, owner, except);
  } catch (error) {
    throw new TowpathError(
      "StorageFailed",
      `Cannot give ${directory} to user ${owner.uid}: ${messageOf(error)}`,
      {
        cause: error,
      },
    );
  }
}

async function giveEntries(directory: string, owner: Owner, except: readonly string[]): Promise<void> {
  const entries = await readdir(directory, { withFileTypes: true });
  await Promise.all(
    entries
      .filter((entry) => !except.includes(entry.name))
      .map(async (entry) => {
        const path = join(directory, entry.name);
        const { uid, gid } = await lstat(path);
        if (uid !== owner.uid || gid !== owner.gid) await lchown(path, owner.uid, owner.gid);
        if (entry.isDirectory()) await giveEntries(path, owner, []);
      }),
  );
}
