import { randomBytes } from "node:crypto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { serveCodec, type CodecServer } from "../../../src/adapters/temporal/encryption/codec-server.js";
import { keyRing, KEYS_VARIABLE } from "../../../src/adapters/temporal/encryption/keys.js";
import { EncryptionCodec } from "../../../src/adapters/temporal/encryption/payload-codec.js";
import { ownerOf } from "../../../src/adapters/temporal/encryption/peer.js";

const TOKEN = "the-token-of-this-test";
const UI_SECRET = "a-path-that-nobody-guesses";
const UI = "http://127.0.0.1:8233";
const CLEAR = { metadata: { encoding: b64("json/plain") }, data: b64('"readable"') };

let server: CodecServer;
beforeEach(async () => {
  const keys = keyRing({ [KEYS_VARIABLE]: `k:${randomBytes(32).toString("base64")}` });
  server = await serveCodec({
    codec: new EncryptionCodec(keys),
    host: "127.0.0.1",
    port: 0,
    token: TOKEN,
    uiSecret: UI_SECRET,
    origins: [UI],
  });
});
afterEach(() => server.close());

function b64(text: string): string {
  return Buffer.from(text).toString("base64");
}

function post(path: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${server.address}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
}

const BEARER = { authorization: `Bearer ${TOKEN}` };

describe("the codec server", () => {
  it("encrypts and decrypts for who has the token, as Temporal's protocol says", async () => {
    const encoded = await post("/encode", { payloads: [CLEAR] }, BEARER);
    expect(encoded.status).toBe(200);
    const text = await encoded.text();
    expect(text).toContain(b64("binary/encrypted"));
    expect(text).not.toContain(CLEAR.data);
    const decoded = await post("/decode", text, { ...BEARER, "x-namespace": "default" });
    expect(await decoded.json()).toEqual({ payloads: [CLEAR] });
  });

  it.each([
    ["no token", {}, "/decode"],
    ["a wrong token", { authorization: "Bearer wrong" }, "/decode"],
    ["an empty token", { authorization: "Bearer " }, "/decode"],
    ["another scheme", { authorization: `Basic ${TOKEN}` }, "/decode"],
    ["a wrong path of the UI", {}, "/ui/something-else/decode"],
    ["the token instead of the UI's path", {}, `/ui/${TOKEN}/decode`],
  ])("refuses %s", async (_, headers, path) => {
    const answer = await post(path, { payloads: [CLEAR] }, headers);
    expect(answer.status).toBe(401);
    expect(await answer.text()).not.toContain(CLEAR.data);
  });

  it("lets the Web UI's pages in, and no other site's", async () => {
    const path = `/ui/${UI_SECRET}/decode`;
    const allowed = await post(path, { payloads: [CLEAR] }, { origin: UI });
    expect(allowed.status).toBe(200);
    expect(allowed.headers.get("access-control-allow-origin")).toBe(UI);
    const preflight = await fetch(`${server.address}${path}`, { method: "OPTIONS", headers: { origin: UI } });
    expect(preflight.status).toBe(204);
    expect(preflight.headers.get("access-control-allow-headers")).toContain("x-namespace");

    const evil = { ...BEARER, origin: "https://evil.example" };
    const refused = await post("/decode", { payloads: [CLEAR] }, evil);
    expect(refused.status).toBe(403);
    expect(refused.headers.get("access-control-allow-origin")).toBeNull();
    expect((await fetch(`${server.address}/decode`, { method: "OPTIONS", headers: evil })).status).toBe(403);
  });

  it("answers what it does not understand with what is wrong, and goes on", async () => {
    for (const body of ["no json", { payloads: "none" }, { payloads: [{ metadata: { encoding: "%" } }] }])
      expect((await post("/decode", body, BEARER)).status).toBe(400);
    const foreign = {
      metadata: { encoding: b64("binary/encrypted"), "encryption-key-id": b64("gone") },
      data: b64("x"),
    };
    const unknown = await post("/decode", { payloads: [foreign] }, BEARER);
    expect(unknown.status).toBe(422);
    expect(await unknown.text()).toContain("'gone' is not among the keys here");
    expect((await post("/other", {}, BEARER)).status).toBe(404);
    expect((await fetch(`${server.address}/decode`, { headers: BEARER })).status).toBe(404);
    // Node may see the closed connection before it has read the answer.
    const large = await post("/decode", "x".repeat(33 * 1024 * 1024), BEARER).catch(() => ({ status: 413 }));
    expect(large.status).toBe(413);
    expect((await post("/encode", { payloads: [CLEAR] }, BEARER)).status).toBe(200);
  });
});

describe("whose connection it is", () => {
  it("is read from the kernel's table, by both ports", () => {
    const table = [
      "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode",
      "   0: 0100007F:1F90 0100007F:C350 01 00000000:00000000 00:00000000 00000000  1000        0 1 1",
      "   1: 0100007F:C350 0100007F:1F90 01 00000000:00000000 00:00000000 00000000  1001        0 2 1",
    ].join("\n");
    expect(ownerOf(table, 0xc350, 0x1f90)).toBe(1001);
    expect(ownerOf(table, 0x1f90, 0xc350)).toBe(1000);
    expect(ownerOf(table, 1, 2)).toBeNull();
  });
});
