import { randomBytes } from "node:crypto";
import { chmod, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { defaultPayloadConverter, type Payload } from "@temporalio/common";
import { afterEach, describe, expect, it } from "vitest";
import {
  addKey,
  KEY_FILE_VARIABLE,
  keyRing,
  KEYS_VARIABLE,
} from "../../../src/adapters/temporal/encryption/keys.js";
import { EncryptionCodec } from "../../../src/adapters/temporal/encryption/payload-codec.js";
import { cleanUp } from "../../support/migrations.js";
import { temporaryDirectory } from "../../support/repository.js";

const cleanups: (() => Promise<void>)[] = [];
afterEach(() => cleanUp(cleanups));

function line(id: string): string {
  return `${id}:${randomBytes(32).toString("base64")}`;
}

function codecOf(...lines: string[]): EncryptionCodec {
  return new EncryptionCodec(keyRing({ [KEYS_VARIABLE]: lines.join(",") }));
}

const payload: Payload = defaultPayloadConverter.toPayload({ secret: "canary" }) ?? {};

function valueOf(decoded: readonly Payload[]): unknown {
  const [first] = decoded;
  return first === undefined ? undefined : defaultPayloadConverter.fromPayload(first);
}

describe("encrypted payloads", () => {
  it("hold nothing readable but the key's id, never look the same twice, and come back as they were", async () => {
    const codec = codecOf(line("one"));
    const [first, second] = await codec.encode([payload, payload]);
    for (const sealed of [first, second]) {
      expect(Buffer.from(sealed?.data ?? []).includes("canary")).toBe(false);
      expect(Object.keys(sealed?.metadata ?? {})).toEqual(["encoding", "encryption-key-id"]);
    }
    expect(Buffer.compare(first?.data ?? Buffer.of(1), second?.data ?? Buffer.of(1))).not.toBe(0);
    expect(valueOf(await codec.decode(first === undefined ? [] : [first]))).toEqual({ secret: "canary" });
  });

  it("are written with the first key and read with any", async () => {
    const [old, fresh] = [line("old"), line("fresh")];
    const before = await codecOf(old).encode([payload]);
    const rotated = codecOf(fresh, old);
    expect(valueOf(await rotated.decode(before))).toEqual({ secret: "canary" });
    const after = await rotated.encode([payload]);
    expect(Buffer.from(after[0]?.metadata?.["encryption-key-id"] ?? []).toString()).toBe("fresh");
    await expect(codecOf(old).decode(after)).rejects.toMatchObject({
      type: "SecretMissing",
      message: expect.stringContaining("'fresh' is not among the keys here"),
    });
  });

  it("are refused where any bit of them was changed, cut off or made with another key of that id", async () => {
    const codec = codecOf(line("one"));
    const [sealed] = await codec.encode([payload]);
    const data = Buffer.from(sealed?.data ?? []);
    for (let at = 0; at < data.length; at += 1) {
      const changed = Buffer.from(data);
      changed.writeUInt8(changed.readUInt8(at) ^ 1, at);
      await expect(codec.decode([{ ...sealed, data: changed }])).rejects.toMatchObject({
        type: "StateCorrupt",
      });
    }
    for (const length of [0, 5, 12, 28, data.length - 1])
      await expect(codec.decode([{ ...sealed, data: data.subarray(0, length) }])).rejects.toMatchObject({
        type: "StateCorrupt",
      });
    await expect(codecOf(line("one")).decode([{ ...sealed }])).rejects.toMatchObject({
      type: "StateCorrupt",
    });
  });

  it("are told from those in clear, which pass", async () => {
    expect(valueOf(await codecOf(line("one")).decode([payload]))).toEqual({ secret: "canary" });
    const without = new EncryptionCodec(null);
    expect(await without.encode([payload])).toEqual([payload]);
    await expect(without.decode(await codecOf(line("one")).encode([payload]))).rejects.toMatchObject({
      type: "SecretMissing",
    });
  });
});

describe("keys", () => {
  it("come from a file that only its owner may read, the newest first", async () => {
    const path = join(await temporaryDirectory(cleanups), "keys");
    const first = await addKey(path, true);
    const second = await addKey(path, true);
    const third = await addKey(path, false);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(keyRing({ [KEY_FILE_VARIABLE]: path })?.map(({ id }) => id)).toEqual([second, first, third]);
    await chmod(path, 0o640);
    expect(() => keyRing({ [KEY_FILE_VARIABLE]: path })).toThrow(/may be read by others.*chmod 600/);
  });

  it("are refused where they are no keys, without a word of what stands there", async () => {
    const path = join(await temporaryDirectory(cleanups), "keys");
    const secret = randomBytes(31).toString("base64");
    for (const text of ["", `short:${secret}\n`, `${secret}\n`, `a b:${secret}\n`]) {
      await writeFile(path, text, { mode: 0o600 });
      const refusal = catching(() => keyRing({ [KEY_FILE_VARIABLE]: path }));
      expect(refusal).toMatchObject({ type: "Usage" });
      expect(String(refusal)).not.toContain(secret);
    }
    const twice = line("same");
    await writeFile(path, `${twice}\n${line("same")}\n`, { mode: 0o600 });
    expect(() => keyRing({ [KEY_FILE_VARIABLE]: path })).toThrow("two keys of the same id");
    expect(() => keyRing({ [KEY_FILE_VARIABLE]: path, [KEYS_VARIABLE]: twice })).toThrow("not both");
    expect(() => keyRing({ [KEY_FILE_VARIABLE]: `${path}-not-there` })).toThrow("cannot be read");
    expect(keyRing({})).toBeNull();
    expect(await readFile(path, "utf8")).toContain("same:");
  });
});

function catching(body: () => unknown): unknown {
  try {
    return body();
  } catch (error) {
    return error;
  }
}
