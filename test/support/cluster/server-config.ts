import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { stringify } from "yaml";
import { DYNAMIC_CONFIG } from "../../../src/adapters/temporal/server-arguments.js";
import { lastingPort } from "./ports.js";

/** The role and its password. */
export const DATABASE_ROLE = "temporal";

/** PEM files with which the frontend shows who it is, and by which it knows its clients. */
export interface ServerTls {
  readonly certFile: string;
  readonly keyFile: string;
  /** The authority of the frontend's certificate. */
  readonly rootCaFile: string;
  /** The authority of the clients' certificates; null: clients need none. */
  readonly clientCaFile: string | null;
}

/** How the frontend is to be reached, and by whom. Without anything: by everybody of this machine. */
export interface ServerSecurity {
  readonly tls?: ServerTls;
  /** Address of a JSON Web Key Set: only who shows a token signed by one of them is let in. */
  readonly keySet?: string;
}

export interface ServerPorts {
  readonly frontend: number;
  readonly internalFrontend: number;
  readonly matching: number;
  readonly history: number;
  readonly worker: number;
  /** Of each service in this order, for the members to find each other. */
  readonly membership: readonly number[];
}

/** Ports that stay the server's over its lives. */
export async function choosePorts(): Promise<ServerPorts> {
  const chosen: number[] = [];
  while (chosen.length < 10) chosen.push(await lastingPort(chosen));
  const [frontend = 0, internalFrontend = 0, matching = 0, history = 0, worker = 0, ...membership] = chosen;
  return { frontend, internalFrontend, matching, history, worker, membership };
}

export interface ServerConfigOptions extends ServerSecurity {
  readonly directory: string;
  readonly ports: ServerPorts;
  readonly postgresPort: number;
  readonly historyShards: number;
}

/** Writes what `server --root <directory> --config config --env development start` reads. */
export async function writeServerConfig(options: ServerConfigOptions): Promise<void> {
  const { directory, ports, postgresPort } = options;
  const folder = join(directory, "config");
  await mkdir(folder, { recursive: true });
  const dynamic = join(directory, "dynamic.yaml");
  await writeFile(dynamic, stringify(dynamicSettings()));
  const config = {
    log: { stdout: true, level: "error" },
    persistence: {
      defaultStore: "default",
      visibilityStore: "visibility",
      numHistoryShards: options.historyShards,
      datastores: {
        default: { sql: datastore("temporal", postgresPort, 20) },
        visibility: { sql: datastore("temporal_visibility", postgresPort, 5) },
      },
    },
    global: {
      membership: { maxJoinDuration: "30s", broadcastAddress: "127.0.0.1" },
      ...(options.tls === undefined ? {} : { tls: { frontend: frontendTls(options.tls) } }),
      ...(options.keySet === undefined ? {} : { authorization: authorization(options.keySet) }),
    },
    services: services(ports),
    clusterMetadata: {
      enableGlobalNamespace: false,
      failoverVersionIncrement: 10,
      masterClusterName: "active",
      currentClusterName: "active",
      clusterInformation: {
        active: {
          enabled: true,
          initialFailoverVersion: 1,
          rpcName: "frontend",
          rpcAddress: `127.0.0.1:${ports.frontend}`,
        },
      },
    },
    dcRedirectionPolicy: { policy: "noop" },
    dynamicConfigClient: { filepath: dynamic, pollInterval: "10s" },
  };
  await writeFile(join(folder, "development.yaml"), stringify(config));
}

/** The server's own workers come in by a door of their own, where nobody asks for certificates and tokens. */
function services(ports: ServerPorts) {
  const { frontend, internalFrontend, matching, history, worker } = ports;
  const grpcPorts = { frontend, "internal-frontend": internalFrontend, matching, history, worker };
  return Object.fromEntries(
    Object.entries(grpcPorts).map(([name, grpcPort], index) => [
      name,
      { rpc: { grpcPort, membershipPort: ports.membership[index], bindOnLocalHost: true } },
    ]),
  );
}

function frontendTls(tls: ServerTls) {
  const { certFile, keyFile, clientCaFile } = tls;
  const clients = clientCaFile === null ? {} : { requireClientAuth: true, clientCaFiles: [clientCaFile] };
  return {
    server: { certFile, keyFile, ...clients },
    client: { serverName: "localhost", rootCaFiles: [tls.rootCaFile] },
  };
}

function authorization(keySet: string) {
  return {
    jwtKeyProvider: { keySourceURIs: [keySet], refreshInterval: "1m" },
    permissionsClaimName: "permissions",
    authorizer: "default",
    claimMapper: "default",
  };
}

function datastore(databaseName: string, port: number, maxConns: number) {
  return {
    pluginName: "postgres12_pgx",
    databaseName,
    connectAddr: `127.0.0.1:${port}`,
    connectProtocol: "tcp",
    user: DATABASE_ROLE,
    password: DATABASE_ROLE,
    maxConns,
  };
}

/** The embedded server's settings, as a cluster's file has them. */
function dynamicSettings(): Record<string, [{ value: unknown }]> {
  return Object.fromEntries(
    DYNAMIC_CONFIG.map((setting) => {
      const end = setting.indexOf("=");
      const value: unknown = JSON.parse(setting.slice(end + 1));
      return [setting.slice(0, end), [{ value }]];
    }),
  );
}
