import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import type { Payload, PayloadCodec } from "@temporalio/common";
import proto from "@temporalio/proto";
import { TowpathError } from "../../../model/errors.js";
import { KEY_FILE_VARIABLE, KEYS_VARIABLE, type KeyRing } from "./keys.js";

const WirePayload = proto.temporal.api.common.v1.Payload;

const CIPHER = "aes-256-gcm";
/** The names that Temporal's own samples use. */
const ENCODING = "binary/encrypted";
const KEY_ID = "encryption-key-id";
const IV_BYTES = 12;
const TAG_BYTES = 16;

/**
 * Encrypts payloads whole, their metadata included: AES-256-GCM, laid out as IV, ciphertext, tag. Payloads in clear
 * pass, for a migration may have been started before there was a key.
 * Without keys nothing is encrypted, and what is encrypted is refused with a message that says what is missing.
 */
export class EncryptionCodec implements PayloadCodec {
  constructor(private readonly keys: KeyRing | null) {}

  encode(payloads: Payload[]): Promise<Payload[]> {
    const [first] = this.keys ?? [];
    return answer(() => (first === undefined ? payloads : payloads.map((each) => seal(each, first))));
  }

  /**
   * @throws TowpathError `SecretMissing` where the key is not there; `StateCorrupt` where the payload is not what was
   * encrypted
   */
  decode(payloads: Payload[]): Promise<Payload[]> {
    return answer(() => payloads.map((each) => this.open(each)));
  }

  private open(payload: Payload): Payload {
    if (text(payload.metadata?.["encoding"]) !== ENCODING) return payload;
    const id = text(payload.metadata?.[KEY_ID]);
    const key = this.keys?.find((each) => each.id === id);
    if (key === undefined) throw keyMissing(id, this.keys !== null);
    try {
      return unseal(payload.data ?? new Uint8Array(), key.secret);
    } catch (cause) {
      throw new TowpathError(
        "StateCorrupt",
        `A payload that says it was encrypted with key '${id}' was not, or it was changed since. Nothing of it is used.`,
        { cause, details: { key: id } },
      );
    }
  }
}

function seal(payload: Payload, { id, secret }: KeyRing[0]): Payload {
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv(CIPHER, secret, iv, { authTagLength: TAG_BYTES });
  const sealed = [cipher.update(WirePayload.encode(payload).finish()), cipher.final(), cipher.getAuthTag()];
  return {
    metadata: { encoding: Buffer.from(ENCODING), [KEY_ID]: Buffer.from(id) },
    data: Buffer.concat([iv, ...sealed]),
  };
}

function unseal(data: Uint8Array, secret: Uint8Array): Payload {
  const end = data.length - TAG_BYTES;
  const decipher = createDecipheriv(CIPHER, secret, data.subarray(0, IV_BYTES), { authTagLength: TAG_BYTES });
  decipher.setAuthTag(data.subarray(end));
  return WirePayload.decode(Buffer.concat([decipher.update(data.subarray(IV_BYTES, end)), decipher.final()]));
}

function keyMissing(id: string, hasKeys: boolean): TowpathError {
  const what = hasKeys ? "is not among the keys here" : "is needed, and no keys are set here";
  return new TowpathError(
    "SecretMissing",
    `This is encrypted, and its key '${id}' ${what}. Set ${KEY_FILE_VARIABLE} or ${KEYS_VARIABLE} to keys that hold it.`,
    { details: { key: id } },
  );
}

function text(bytes: Uint8Array | null | undefined): string {
  return Buffer.from(bytes ?? []).toString("utf8");
}

/** What is thrown rejects: the callers expect nothing to be thrown at once. */
async function answer<T>(body: () => T): Promise<T> {
  return body();
}
