import { createHash } from "node:crypto";
import { z } from "zod";
import { KeyRing } from "./encryption/keys.js";

const Bytes = z.instanceof(Uint8Array);

/** TLS material as both of Temporal's connections (client and worker) take it. */
const Tls = z.object({
  serverNameOverride: z.string().optional(),
  serverRootCACertificate: Bytes.optional(),
  clientCertPair: z.object({ crt: Bytes, key: Bytes }).optional(),
});

/** Where a Temporal server answers, and what it wants to see. Holds secrets: never log it, log `describeEndpoint`. */
export const TemporalEndpoint = z.object({
  address: z.string().min(1),
  namespace: z.string().min(1),
  tls: z.union([z.boolean(), Tls]).optional(),
  apiKey: z.string().optional(),
  metadata: z.record(z.string(), z.string()).optional(),
  /** What payloads are encrypted with before they are sent there; undefined: they are sent in clear. */
  encryption: KeyRing.optional(),
});
export type TemporalEndpoint = z.infer<typeof TemporalEndpoint>;

/** The part of a connection's options that comes from the endpoint, for `Connection` and `NativeConnection` alike. */
export function connectionOptions(endpoint: TemporalEndpoint) {
  const { tls } = endpoint;
  return {
    address: endpoint.address,
    ...(tls === undefined ? {} : { tls: typeof tls === "boolean" ? tls : tlsOptions(tls) }),
    ...(endpoint.apiKey === undefined ? {} : { apiKey: endpoint.apiKey }),
    ...(endpoint.metadata === undefined ? {} : { metadata: endpoint.metadata }),
  };
}

function tlsOptions(tls: z.infer<typeof Tls>) {
  return {
    ...(tls.serverNameOverride === undefined ? {} : { serverNameOverride: tls.serverNameOverride }),
    ...(tls.serverRootCACertificate === undefined
      ? {}
      : { serverRootCACertificate: Buffer.from(tls.serverRootCACertificate) }),
    ...(tls.clientCertPair === undefined
      ? {}
      : {
          clientCertPair: {
            crt: Buffer.from(tls.clientCertPair.crt),
            key: Buffer.from(tls.clientCertPair.key),
          },
        }),
  };
}

/** Address and namespace, for people and logs. */
export function describeEndpoint(endpoint: TemporalEndpoint): string {
  return `${endpoint.address} (namespace ${endpoint.namespace})`;
}

/** 16 hex digits that change whenever anything of the endpoint does, credentials included. */
export function endpointFingerprint(endpoint: TemporalEndpoint): string {
  const canonical = JSON.stringify(endpoint, (_key, value: unknown) => {
    if (value instanceof Uint8Array) return Buffer.from(value).toString("base64");
    if (typeof value === "object" && value !== null && !Array.isArray(value))
      return Object.fromEntries(Object.entries(value).sort(([a], [b]) => a.localeCompare(b)));
    return value;
  });
  return createHash("sha256").update(canonical).digest("hex").slice(0, 16);
}
