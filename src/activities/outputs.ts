import { lstatSync, type Stats } from "node:fs";
import { readText } from "../adapters/store/files.js";
import { TowpathError } from "../model/errors.js";
import { parseOutputs } from "../model/spec/outputs.js";
import { type CommandPlace, outputFile } from "./commands.js";
import type { SpecMigration } from "./host.js";

const MAX_BYTES = 16 * 1024 * 1024;

/**
 * What a step wrote to `$TOWPATH_OUTPUT`, secrets masked; null where it wrote nothing and declares nothing.
 * @param declared the names in the step's `outputs`
 * @throws TowpathError `CommandFailed` for what cannot be read as outputs, `StorageFailed`
 */
export async function readStepOutputs(
  migration: SpecMigration,
  place: CommandPlace,
  declared: readonly string[] | null,
): Promise<Record<string, string> | null> {
  const path = outputFile(migration, place);
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined && declared === null) return null;
  if (found !== undefined) refuseOther(found);
  const text = (await readText(path)) ?? "";
  return parseOutputs(migration.redactor.text(text), declared);
}

/** A link would have the worker read what the step itself may not, and a FIFO would hold it for ever. */
function refuseOther(found: Stats): void {
  if (!found.isFile()) throw refused("is no longer a file");
  if (found.size > MAX_BYTES) throw refused(`holds more than ${MAX_BYTES} bytes`);
}

function refused(why: string): TowpathError {
  return new TowpathError("CommandFailed", `The step's $TOWPATH_OUTPUT ${why}`);
}
