import { randomBytes, randomInt } from "node:crypto";
import { join } from "node:path";
import { z } from "zod";
import { readHint, readTextIfPresent, writePrivateFile } from "../files.js";
import { nextFreePort } from "../ports.js";

/** Spread, because a port that is kept for later is not held: two data directories must not choose the same. */
const PORTS = { first: 18_234, count: 1_000 } as const;
const SECRET_BYTES = 32;

/** Where the embedded Web UI asks for readable payloads: on loopback, below a path that cannot be guessed. */
const CodecPlace = z.object({
  port: z.int().min(1).max(65_535),
  uiSecret: z.string().regex(/^[A-Za-z0-9_-]{43}$/),
});
export type CodecPlace = z.infer<typeof CodecPlace>;

/** The same at every call: the server is told once where its UI has to ask. */
export async function codecPlace(dataDir: string): Promise<CodecPlace> {
  const path = join(dataDir, "codec", "place.json");
  const known = await readHint(path, CodecPlace);
  if (known !== null) return known;
  const place = { port: await nextFreePort(PORTS.first + randomInt(PORTS.count)), uiSecret: secret() };
  await writePrivateFile(path, `${JSON.stringify(place)}\n`);
  return place;
}

/** The bearer token that is made where the user names none, and the file it is in. */
export async function ownCodecToken(dataDir: string): Promise<{ token: string; path: string }> {
  const path = join(dataDir, "codec", "token");
  const known = (await readTextIfPresent(path))?.trim() ?? "";
  if (known !== "") return { token: known, path };
  const token = secret();
  await writePrivateFile(path, `${token}\n`);
  return { token, path };
}

/**
 * Writes the setting that points the embedded UI there. In a file that only its owner may read, because everybody can
 * see the arguments of a process.
 * @returns the arguments that make the Temporal CLI read it
 */
export async function uiCodecArguments(dataDir: string): Promise<string[]> {
  const { port, uiSecret } = await codecPlace(dataDir);
  const path = join(dataDir, "codec", "server-env.yaml");
  const endpoint = `http://127.0.0.1:${port}/ui/${uiSecret}`;
  await writePrivateFile(path, `env:\n  towpath:\n    ui-codec-endpoint: ${endpoint}\n`);
  return ["--env-file", path, "--env", "towpath"];
}

function secret(): string {
  return randomBytes(SECRET_BYTES).toString("base64url");
}
