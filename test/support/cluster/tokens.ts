import { generateKeyPairSync, sign } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";

const KEY_ID = "test";
const VALID_S = 3_600;

/** Who signs API keys that a server takes as JSON Web Tokens, and tells it by which key. */
export interface TokenIssuer {
  /** Where the server finds the keys. */
  readonly keySet: string;
  /** @param permissions `<namespace>:<read|write|worker|admin>`, or `temporal-system:…` for all of them */
  issue(...permissions: string[]): string;
  close(): Promise<void>;
}

export async function startTokenIssuer(): Promise<TokenIssuer> {
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2_048 });
  const key = { ...publicKey.export({ format: "jwk" }), kid: KEY_ID, use: "sig", alg: "RS256" };
  const server = createServer((_request, response) => response.end(JSON.stringify({ keys: [key] })));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("the issuer has no port");
  return {
    keySet: `http://127.0.0.1:${address.port}/keys`,
    issue: (...permissions) => {
      const now = Math.floor(Date.now() / 1_000);
      const claims = { sub: "ada", iat: now, exp: now + VALID_S, permissions };
      const text = `${encoded({ alg: "RS256", typ: "JWT", kid: KEY_ID })}.${encoded(claims)}`;
      return `${text}.${sign("RSA-SHA256", Buffer.from(text), privateKey).toString("base64url")}`;
    },
    close: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}

function encoded(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}
