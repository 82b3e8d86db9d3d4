import { request, type RequestOptions } from "node:http";
import { existsSync } from "node:fs";

const LIMIT_MS = 3_000;
const SOCKET = "/var/run/docker.sock";

export interface EnginePing {
  /** What was asked: `unix:///var/run/docker.sock`, `tcp://host:2375`. */
  readonly host: string;
  /** Null when the engine answers; else why not. */
  readonly problem: string | null;
  /** Version of its API, where it told one. */
  readonly apiVersion: string | null;
}

/**
 * Asks the container engine whether it is there: `DOCKER_HOST`, else the default socket.
 * @returns null where nothing says that there is an engine
 */
export async function pingEngine(
  env: Readonly<Record<string, string | undefined>>,
): Promise<EnginePing | null> {
  const configured = env.DOCKER_HOST;
  if (!configured && !existsSync(SOCKET)) return null;
  const host = configured || `unix://${SOCKET}`;
  const options = requestOptions(host);
  if (options === null)
    return { host, problem: "only unix:// and plain tcp:// can be asked", apiVersion: null };
  return { host, ...(await ping(options)) };
}

function requestOptions(host: string): RequestOptions | null {
  const unix = /^unix:\/\/(\/.+)$/.exec(host)?.[1];
  if (unix !== undefined) return { socketPath: unix };
  const tcp = /^(?:tcp|http):\/\/([^/:]+|\[[^\]]+\]):(\d+)\/?$/.exec(host);
  return tcp === null ? null : { host: tcp[1]?.replaceAll(/[[\]]/g, ""), port: Number(tcp[2]) };
}

function ping(options: RequestOptions): Promise<Omit<EnginePing, "host">> {
  return new Promise((resolve) => {
    const asked = request(
      { ...options, path: "/_ping", signal: AbortSignal.timeout(LIMIT_MS) },
      (response) => {
        response.resume();
        const version = response.headers["api-version"];
        resolve({
          problem: response.statusCode === 200 ? null : `it answers HTTP ${response.statusCode}`,
          apiVersion: typeof version === "string" ? version : null,
        });
      },
    );
    asked.once("error", (error) => resolve({ problem: error.message, apiVersion: null }));
    asked.end();
  });
}
