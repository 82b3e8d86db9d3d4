import { once } from "node:events";
import { readFile, stat } from "node:fs/promises";
import { z } from "zod";
import { dataDirectory } from "../../adapters/store/data-directory.js";
import { readEmbeddedState } from "../../adapters/temporal/embedded-state.js";
import { codecPlace, ownCodecToken } from "../../adapters/temporal/encryption/codec-place.js";
import { serveCodec } from "../../adapters/temporal/encryption/codec-server.js";
import { KEY_FILE_VARIABLE, keyRing, KEYS_VARIABLE } from "../../adapters/temporal/encryption/keys.js";
import { EncryptionCodec } from "../../adapters/temporal/encryption/payload-codec.js";
import { TowpathError, messageOf } from "../../model/errors.js";
import type { CommandBody } from "../command.js";
import { readInput } from "../input.js";
import { printableBlock } from "../printable.js";
import { stopSignal } from "../stop-signal.js";

type Environment = Readonly<Record<string, string | undefined>>;

const LOOPBACK = ["127.0.0.1", "localhost"] as const;
const DEFAULT_UI = "http://127.0.0.1:8233";

const Input = z.object({
  arguments: z.tuple([]),
  options: z.object({
    address: z
      .string()
      .regex(/^[^\s:]+:\d{1,5}$/, "must be host:port")
      .optional(),
    ui: z.array(z.url()).default([]),
  }),
});

/** `towpath codec-server` */
export const codecServer: CommandBody = async (input, context) => {
  const { options } = readInput(Input, input);
  const { env } = context;
  const keys = keyRing(env);
  if (keys === null)
    throw new TowpathError(
      "Usage",
      `There is nothing to decrypt: set ${KEY_FILE_VARIABLE} or ${KEYS_VARIABLE}.`,
    );
  const dataDir = dataDirectory(env);
  const place = await codecPlace(dataDir);
  const [host = "", port = ""] = (options.address ?? `127.0.0.1:${place.port}`).split(":");
  const isLocal = LOOPBACK.some((name) => name === host);
  const { token, from } = await tokenOf(env, dataDir, isLocal);
  const server = await serveCodec({
    codec: new EncryptionCodec(keys),
    host,
    port: Number(port),
    token,
    uiSecret: isLocal ? place.uiSecret : null,
    origins: await originsOf(options.ui, env, dataDir),
  });
  const stop = stopSignal();
  await context.emit({
    text: printableBlock(`Codec server on ${server.address}\nIts bearer token: ${from}`),
    data: { address: server.address, token: from, keys: keys.map(({ id }) => id) },
  });
  if (!stop.aborted) await once(stop, "abort");
  await server.close();
  return { text: "", data: { status: "stopped" } };
};

/** @returns the token, and where people find it */
async function tokenOf(
  env: Environment,
  dataDir: string,
  isLocal: boolean,
): Promise<{ token: string; from: string }> {
  const inline = env["TOWPATH_CODEC_TOKEN"] ?? "";
  if (inline !== "") return { token: inline, from: "TOWPATH_CODEC_TOKEN" };
  const file = env["TOWPATH_CODEC_TOKEN_FILE"] ?? "";
  if (file !== "") return { token: await readToken(file), from: file };
  if (!isLocal)
    throw new TowpathError(
      "Usage",
      "A codec server that others can reach needs a token of yours: set TOWPATH_CODEC_TOKEN_FILE or TOWPATH_CODEC_TOKEN.",
    );
  const { token, path } = await ownCodecToken(dataDir);
  return { token, from: path };
}

async function readToken(path: string): Promise<string> {
  try {
    const text = (await readFile(path, "utf8")).trim();
    const isPrivate = ((await stat(path)).mode & 0o077) === 0;
    if (text !== "" && isPrivate) return text;
  } catch (cause) {
    throw new TowpathError("Usage", `The token file ${path} cannot be read: ${messageOf(cause)}.`, { cause });
  }
  throw new TowpathError(
    "Usage",
    `The token file ${path} is empty, or others may read it (chmod 600 ${path}).`,
  );
}

/** Whose pages may ask: the named ones, else the Web UI's that is known. */
async function originsOf(named: readonly string[], env: Environment, dataDir: string): Promise<string[]> {
  const configured = env["TEMPORAL_UI_ADDRESS"] ?? "";
  const known =
    configured === "" ? ((await readEmbeddedState(dataDir))?.uiAddress ?? DEFAULT_UI) : configured;
  const addresses = (named.length > 0 ? named : [known]).map((address) => new URL(address));
  return addresses.flatMap((address) => {
    if (!LOOPBACK.some((name) => name === address.hostname)) return [address.origin];
    return LOOPBACK.map((name) => `${address.protocol}//${name}:${address.port}`);
  });
}
