import { randomBytes } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { z } from "zod";
import { TowpathError, messageOf } from "../../../model/errors.js";
import { readTextIfPresent, writePrivateFile } from "../files.js";

const KEY_BYTES = 32;

const EncryptionKey = z.object({
  /** Stands in clear beside everything that is encrypted with the key. */
  id: z.string().regex(/^[A-Za-z0-9._-]{1,64}$/),
  secret: z.instanceof(Uint8Array).refine((bytes) => bytes.length === KEY_BYTES),
});
type EncryptionKey = z.infer<typeof EncryptionKey>;

/** Keys of payloads: the first one encrypts, each decrypts what was encrypted with it. Secret: never logged. */
export const KeyRing = z.tuple([EncryptionKey], EncryptionKey).readonly();
export type KeyRing = z.infer<typeof KeyRing>;

type Environment = Readonly<Record<string, string | undefined>>;

export const KEYS_VARIABLE = "TOWPATH_ENCRYPTION_KEYS";
export const KEY_FILE_VARIABLE = "TOWPATH_ENCRYPTION_KEY_FILE";

/**
 * The keys that the environment names: a file that only its owner may read (`TOWPATH_ENCRYPTION_KEY_FILE`), or a
 * variable that holds them itself (`TOWPATH_ENCRYPTION_KEYS`). Null where neither is set: nothing is encrypted.
 * @throws TowpathError `Usage` where they cannot be read; the message never holds a part of them
 */
export function keyRing(env: Environment): KeyRing | null {
  const file = env[KEY_FILE_VARIABLE] ?? "";
  const inline = env[KEYS_VARIABLE] ?? "";
  if (file !== "" && inline !== "")
    throw new TowpathError("Usage", `Set ${KEY_FILE_VARIABLE} or ${KEYS_VARIABLE}, not both.`);
  if (file !== "") return parseKeys(readKeyFile(file), file);
  return inline === "" ? null : parseKeys(inline.replaceAll(",", "\n"), KEYS_VARIABLE);
}

function readKeyFile(path: string): string {
  try {
    const { mode } = statSync(path);
    if ((mode & 0o077) !== 0)
      throw new TowpathError(
        "Usage",
        `The key file ${path} may be read by others. Make it yours alone: chmod 600 ${path}`,
      );
    return readFileSync(path, "utf8");
  } catch (cause) {
    if (cause instanceof TowpathError) throw cause;
    throw new TowpathError("Usage", `The key file ${path} cannot be read: ${messageOf(cause)}.`, { cause });
  }
}

/** One key a line, `<id>:<32 bytes in base64>`; empty lines and those that begin with `#` do not count. */
function parseKeys(text: string, where: string): KeyRing {
  const lines = text.split("\n").map((line, index) => ({ line: line.trim(), number: index + 1 }));
  const keys = lines
    .filter(({ line }) => line !== "" && !line.startsWith("#"))
    .map(({ line, number }) => parseKey(line, `${where}, key line ${number}`));
  const ring = KeyRing.safeParse(keys);
  if (!ring.success)
    throw new TowpathError("Usage", `${where} holds no key. \`towpath codec-key <file>\` makes one.`);
  if (new Set(keys.map(({ id }) => id)).size < keys.length)
    throw new TowpathError("Usage", `${where} holds two keys of the same id.`);
  return ring.data;
}

function parseKey(line: string, where: string): EncryptionKey {
  const split = line.indexOf(":");
  const secret = Buffer.from(line.slice(split + 1).trim(), "base64");
  const key = EncryptionKey.safeParse({ id: line.slice(0, Math.max(split, 0)).trim(), secret });
  if (key.success) return key.data;
  throw new TowpathError("Usage", `${where}: not \`<id>:<${KEY_BYTES} bytes in base64>\`.`);
}

/**
 * Adds a fresh key to a key file, which is made where there is none.
 * @param first true: it encrypts from now on; false: it only decrypts, until its line is moved to the top
 * @returns the key's id
 * @throws TowpathError `Usage`, `StorageFailed`
 */
export async function addKey(path: string, first: boolean): Promise<string> {
  const present = await readTextIfPresent(path);
  const known = present === null ? [] : parseKeys(readKeyFile(path), path);
  const id = freshId(known.map((key) => key.id));
  const line = `${id}:${randomBytes(KEY_BYTES).toString("base64")}\n`;
  const before = present === null || present.endsWith("\n") ? (present ?? "") : `${present}\n`;
  await writePrivateFile(path, first ? line + before : before + line);
  return id;
}

function freshId(taken: readonly string[]): string {
  const day = new Date().toISOString().slice(0, 10);
  for (let count = 1; ; count += 1) {
    const id = `${day}.${count}`;
    if (!taken.includes(id)) return id;
  }
}
