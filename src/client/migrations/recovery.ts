import { MigrationStore } from "../../adapters/store/migration-store.js";
import { messageOf, TowpathError } from "../../model/errors.js";
import type { Manifest } from "../../model/manifest.js";
import { MigrationInput, ParamValue } from "../../model/messages.js";
import { recoveredState } from "../../model/recovery.js";
import { requireSpec } from "../../model/spec/parse.js";
import { runKind, type RunKind } from "../../model/visibility.js";
import { SPEC_FILE_NAME } from "./spec-file.js";

/** Who goes on with a migration, and where. */
export interface RecoveryOptions {
  readonly hostId: string;
  readonly manual: boolean;
  readonly author: { readonly name: string; readonly email: string };
  readonly startedBy: string;
}

/** A migration that can be gone on with from its directory. */
export interface Recoverable {
  readonly manifest: Manifest;
  readonly kind: RunKind;
  readonly inputFor: (options: RecoveryOptions) => MigrationInput;
}

/**
 * Looks whether a migration can go on without its workflow; nothing is changed.
 * @throws TowpathError `WrongStatus` where it is over or had not begun; `StateCorrupt` where its spec cannot be read
 */
export async function readRecoverable(dataDir: string, id: string): Promise<Recoverable> {
  const store = new MigrationStore({ dataDir });
  const manifest = await store.readManifest(id);
  const carried = recoveredState(manifest);
  const isHandsOn = manifest.mode !== "spec";
  const spec = isHandsOn ? null : await storedSpec(store, id);
  const inputFor = ({ hostId, manual, author, startedBy }: RecoveryOptions): MigrationInput =>
    MigrationInput.parse({
      migrationId: id,
      name: manifest.name ?? id,
      target: manifest.target_info.target,
      hostId,
      source: manifest.source_info.path,
      spec: isHandsOn ? null : { fileName: SPEC_FILE_NAME, text: "" },
      params: paramsOf(manifest),
      manual,
      allowHost: manifest.allow_host ?? false,
      author: manifest.author ?? author,
      startedBy,
      carried,
    });
  return { manifest, kind: runKind(spec), inputFor };
}

async function storedSpec(store: MigrationStore, id: string) {
  const path = store.paths(id).spec;
  try {
    return requireSpec((await store.readSpec(id)) ?? "", { fileName: path });
  } catch (error) {
    throw new TowpathError("StateCorrupt", `${path} cannot be read: ${messageOf(error)}`, { cause: error });
  }
}

function paramsOf({ target_info: { options } }: Manifest): Record<string, ParamValue> {
  const params: Record<string, ParamValue> = {};
  for (const [name, value] of Object.entries(options)) {
    const param = ParamValue.safeParse(value);
    if (param.success) params[name] = param.data;
  }
  return params;
}
