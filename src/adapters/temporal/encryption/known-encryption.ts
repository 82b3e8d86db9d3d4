import { join } from "node:path";
import { z } from "zod";
import { TowpathError } from "../../../model/errors.js";
import { readHint, writePrivateFile } from "../files.js";
import { KEY_FILE_VARIABLE, KEYS_VARIABLE, type KeyRing } from "./keys.js";

const KnownEncryption = z.object({ keyId: z.string() });

/**
 * Remembers that this data directory's migrations are encrypted, so that a command in a shell without the keys neither
 * starts one in clear nor replaces the worker by one that cannot read the others.
 * @throws TowpathError `SecretMissing` where they are encrypted and no keys are set
 */
export async function requireKnownEncryption(dataDir: string, keys: KeyRing | undefined): Promise<void> {
  const path = join(dataDir, "encryption.json");
  const known = await readHint(path, KnownEncryption);
  if (keys === undefined && known === null) return;
  if (keys === undefined)
    throw new TowpathError(
      "SecretMissing",
      `Migrations of ${dataDir} are encrypted (key '${known?.keyId}'), and no keys are set here. Set ` +
        `${KEY_FILE_VARIABLE} or ${KEYS_VARIABLE}; to go on in clear, and without the encrypted ones, remove ${path}.`,
      { details: { key: known?.keyId, path } },
    );
  const [{ id: keyId }] = keys;
  if (known?.keyId !== keyId) await writePrivateFile(path, `${JSON.stringify({ keyId })}\n`);
}
