import { createHash } from "node:crypto";
import { access, readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { messageOf, TowpathError } from "../../model/errors.js";
import { configDirectory, type Environment, homeOf, readDockerConfig } from "./config.js";
import { hasCode } from "../../model/system-errors.js";

/** Where a container engine answers. Holds a private key: never log it, log `host`. */
export interface EngineEndpoint {
  /** As `DOCKER_HOST` has it: `unix:///var/run/docker.sock`, `tcp://host:2376`. */
  readonly host: string;
  /** What named it, for people. */
  readonly source: string;
  readonly address: { readonly socketPath: string } | { readonly host: string; readonly port: number };
  /** Null: plain HTTP. */
  readonly tls: EngineTls | null;
}

export interface EngineTls {
  readonly ca: Buffer | undefined;
  readonly cert: Buffer | undefined;
  readonly key: Buffer | undefined;
}

const DEFAULT_SOCKET = "/var/run/docker.sock";
const PLAIN_PORT = 2375;
const TLS_PORT = 2376;

const ContextMeta = z.looseObject({
  Endpoints: z.looseObject({
    docker: z.looseObject({ Host: z.string().optional(), SkipTLSVerify: z.boolean().optional() }).optional(),
  }),
});

/**
 * Finds the engine as the docker CLI does: `DOCKER_HOST`, then `DOCKER_CONTEXT`, then the current context of its
 * configuration, then the usual socket.
 * @throws TowpathError `Usage` for an endpoint that is none, `EngineUnreachable` for one that cannot be used here
 */
export async function resolveEndpoint(env: Environment): Promise<EngineEndpoint> {
  const configured = env["DOCKER_HOST"];
  if (configured !== undefined && configured !== "") {
    const tls = await environmentTls(env);
    return endpointOf(configured, "DOCKER_HOST", tls);
  }
  const context = env["DOCKER_CONTEXT"] || (await readDockerConfig(env)).currentContext || "default";
  if (context !== "default") return contextEndpoint(context, env);
  return endpointOf(`unix://${await defaultSocket(env)}`, "the usual socket", null);
}

/** Docker Desktop and rootless engines have theirs below the home or the runtime directory. */
async function defaultSocket(env: Environment): Promise<string> {
  const runtime = env["XDG_RUNTIME_DIR"];
  const candidates = [
    DEFAULT_SOCKET,
    ...(runtime ? [join(runtime, "docker.sock")] : []),
    join(homeOf(env), ".docker", "run", "docker.sock"),
  ];
  for (const path of candidates) {
    try {
      await access(path);
      return path;
    } catch (error) {
      if (!hasCode(error, "ENOENT", "ENOTDIR", "EACCES")) throw error;
    }
  }
  return DEFAULT_SOCKET;
}

/** As the docker CLI: any value of DOCKER_TLS_VERIFY switches it on. */
async function environmentTls(env: Environment): Promise<EngineTls | null> {
  if (!env["DOCKER_TLS_VERIFY"]) return null;
  const directory = env["DOCKER_CERT_PATH"] || configDirectory(env);
  return certificates(directory);
}

async function contextEndpoint(name: string, env: Environment): Promise<EngineEndpoint> {
  const directory = join(configDirectory(env), "contexts");
  const digest = createHash("sha256").update(name).digest("hex");
  const path = join(directory, "meta", digest, "meta.json");
  const meta = await readContext(path, name);
  const { Host: host, SkipTLSVerify: skip } = meta.Endpoints.docker ?? {};
  if (host === undefined) {
    throw new TowpathError(
      "Usage",
      `The docker context '${name}' names no engine: choose another, or set DOCKER_HOST`,
    );
  }
  if (skip === true) {
    throw new TowpathError(
      "Usage",
      `The docker context '${name}' switches off the verification of its engine, which Towpath does not do: ` +
        "give the context the engine's CA",
    );
  }
  const tls = await certificates(join(directory, "tls", digest, "docker"));
  const hasTls = tls.ca !== undefined || tls.cert !== undefined;
  return endpointOf(host, `docker context '${name}'`, hasTls ? tls : null);
}

async function readContext(path: string, name: string): Promise<z.infer<typeof ContextMeta>> {
  try {
    return ContextMeta.parse(JSON.parse(await readFile(path, "utf8")));
  } catch (error) {
    const why = hasCode(error, "ENOENT", "ENOTDIR") ? "there is none of that name" : messageOf(error);
    throw new TowpathError("Usage", `Cannot use the docker context '${name}': ${why}`, { cause: error });
  }
}

async function certificates(directory: string): Promise<EngineTls> {
  const read = async (name: string): Promise<Buffer | undefined> => {
    try {
      return await readFile(join(directory, name));
    } catch (error) {
      if (hasCode(error, "ENOENT", "ENOTDIR")) return undefined;
      throw new TowpathError("Usage", `Cannot read ${join(directory, name)}: ${messageOf(error)}`, {
        cause: error,
      });
    }
  };
  const [ca, cert, key] = await Promise.all([read("ca.pem"), read("cert.pem"), read("key.pem")]);
  return { ca, cert, key };
}

function endpointOf(host: string, source: string, tls: EngineTls | null): EngineEndpoint {
  const unix = /^unix:\/\/(.*)$/.exec(host);
  if (unix !== null) {
    return { host, source, address: { socketPath: unix[1] || DEFAULT_SOCKET }, tls: null };
  }
  const url = URL.canParse(host) ? new URL(host) : null;
  if (url?.protocol === "ssh:") {
    throw new TowpathError(
      "EngineUnreachable",
      `${source} names ${withoutPassword(url)}: engines over ssh are not supported. Forward its socket ` +
        "(ssh -N -L /tmp/engine.sock:/var/run/docker.sock HOST) and set DOCKER_HOST=unix:///tmp/engine.sock",
    );
  }
  if (url === null || !["tcp:", "http:", "https:"].includes(url.protocol) || url.hostname === "") {
    throw new TowpathError(
      "Usage",
      `${source} names no engine: use unix:///path/of/socket or tcp://host:port`,
    );
  }
  const encrypted = tls ?? (url.protocol === "https:" ? systemTls() : null);
  const port = url.port === "" ? (encrypted === null ? PLAIN_PORT : TLS_PORT) : Number(url.port);
  const address = { host: url.hostname.replaceAll(/[[\]]/g, ""), port };
  return { host: withoutPassword(url), source, address, tls: encrypted };
}

function systemTls(): EngineTls {
  return { ca: undefined, cert: undefined, key: undefined };
}

function withoutPassword(url: URL): string {
  const at = url.username === "" ? "" : `${url.username}@`;
  return `${url.protocol}//${at}${url.host}`;
}
