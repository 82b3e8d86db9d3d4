import { join } from "node:path";
import { type DocumentPointer, namedCopies } from "../../model/requirements/documents.js";
import { isAbandoned, kindAt, namesIn, readText, removeFile } from "../store/files.js";
import { parsePointer, type CurrentRequirements } from "./current.js";
import { copyPath, type RequirementsPaths, signatureOfListing } from "./paths.js";

/** Whether somebody who died has left something behind; a lock may as well be that of somebody who is just writing. */
export async function hasLeftovers(paths: RequirementsPaths): Promise<boolean> {
  if (kindAt(paths.lock) !== "nothing") return true;
  for (const name of (await namesIn(paths.state)) ?? []) {
    if (isAbandoned(paths.state, name, Date.now())) return true;
  }
  return false;
}

/**
 * Removes what writers that died left behind, under the lock: their temporary files, and the copies that a pointer
 * would have named that was never put in place. While the pointer in place cannot be read no copy is removed.
 */
export async function sweep(paths: RequirementsPaths, current: CurrentRequirements): Promise<void> {
  for (const name of (await namesIn(paths.state)) ?? []) {
    if (!isAbandoned(paths.state, name, Date.now())) continue;
    const path = join(paths.state, name);
    const intended = parsePointer((await readText(path)) ?? "");
    if (intended !== null) await removeUncommitted(paths, current, intended.created);
    removeFile(path);
  }
  if (current.pointer !== null) await removeDropped(paths, current.pointer);
}

/** Removes what a pointer that is in place let go. */
export async function removeDropped(paths: RequirementsPaths, pointer: DocumentPointer): Promise<void> {
  await removeUncommitted(paths, { pointer, record: "good" }, pointer.dropped);
  await removeOldListings(paths, pointer.signature);
}

/** Removes copies that were made for a write that did not come about. */
export async function removeUncommitted(
  paths: RequirementsPaths,
  { pointer, record }: Pick<CurrentRequirements, "pointer" | "record">,
  created: readonly string[],
): Promise<void> {
  if (record === "damaged") return;
  const named = pointer === null ? new Set<string>() : namedCopies(pointer);
  for (const sha of created) if (!named.has(sha)) removeFile(copyPath(paths, sha));
}

async function removeOldListings(paths: RequirementsPaths, signature: string): Promise<void> {
  for (const name of (await namesIn(paths.state)) ?? []) {
    const named = signatureOfListing(name);
    if (named !== null && named !== signature) removeFile(join(paths.state, name));
  }
}
