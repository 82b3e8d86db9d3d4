import Docker from "dockerode";
import type { EngineEndpoint } from "./endpoint.js";

/**
 * dockerode reads `DOCKER_HOST` and its like from the process's own environment and prefers them: everything that it
 * would find there is said here.
 */
export function dockerClient({ address, tls }: EngineEndpoint): Docker {
  const where =
    "socketPath" in address
      ? { socketPath: address.socketPath, host: undefined, port: undefined }
      : { socketPath: undefined, host: bracketed(address.host), port: address.port };
  return new Docker({
    ...where,
    protocol: tls === null ? "http" : "https",
    ca: tls?.ca,
    cert: tls?.cert,
    key: tls?.key,
    timeout: undefined,
  });
}

function bracketed(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}
