import { resolve } from "node:path";
import { loadClientConfigProfile, loadClientConnectConfig } from "@temporalio/envconfig";
import { TowpathError, messageOf } from "../../model/errors.js";
import { keyRing } from "./encryption/keys.js";
import { TemporalEndpoint } from "./endpoint.js";

/** Where Temporal is: named by the user, or our own server below the data directory. */
export type TemporalTarget =
  { readonly kind: "configured"; readonly endpoint: TemporalEndpoint } | { readonly kind: "embedded" };

type Environment = Readonly<Record<string, string | undefined>>;

export const EMBEDDED_NAMESPACE = "default";

/**
 * Reads Temporal's own configuration: `TEMPORAL_ADDRESS` and its sisters, `TEMPORAL_PROFILE`, and the config file
 * (`TEMPORAL_CONFIG_FILE`, else `temporalio/temporal.toml` in the user's config directory).
 * Nothing configured means the embedded server.
 * @throws TowpathError `Usage` where the configuration cannot be read or names no address
 */
export function temporalTarget(env: Environment): TemporalTarget {
  const { connectionOptions: options, namespace } = load(env);
  if (options.address === undefined || options.address === "") {
    refuseHalfConfigured(options.apiKey !== undefined || options.tls !== undefined, namespace);
    return { kind: "embedded" };
  }
  const endpoint = TemporalEndpoint.safeParse({
    address: options.address,
    namespace: namespace ?? EMBEDDED_NAMESPACE,
    tls: options.tls ?? undefined,
    apiKey: options.apiKey,
    metadata: options.metadata,
    encryption: keyRing(env) ?? undefined,
  });
  if (endpoint.success) return { kind: "configured", endpoint: endpoint.data };
  const keys = endpoint.error.issues.map((issue) => issue.path.join(".")).join(", ");
  throw new TowpathError("Usage", `Temporal's configuration is not valid: ${keys} has the wrong type.`);
}

/** Files that Temporal's variables name, which a process that runs in another directory must find too. */
const PATH_VARIABLES = [
  "TEMPORAL_CONFIG_FILE",
  "TEMPORAL_TLS_CLIENT_CERT_PATH",
  "TEMPORAL_TLS_CLIENT_KEY_PATH",
  "TEMPORAL_TLS_SERVER_CA_CERT_PATH",
] as const;

/** The environment with its relative paths to Temporal's files made absolute, as seen from this process's directory. */
export function withAbsolutePaths(env: Environment): Environment {
  const paths = PATH_VARIABLES.map((name) => [name, env[name]] as const);
  const named = paths.flatMap(([name, path]) => (path ? [[name, resolve(path)]] : []));
  return { ...env, ...Object.fromEntries(named) };
}

type Loaded = ReturnType<typeof loadClientConnectConfig>;

function load(env: Environment): Loaded {
  const variables = presentVariables(env);
  try {
    return loadProfile(variables);
  } catch (cause) {
    throw new TowpathError(
      "Usage",
      `Temporal's configuration cannot be read: ${reasonWithoutContent(cause)}. Check TEMPORAL_CONFIG_FILE, TEMPORAL_PROFILE and the files that they name.`,
      { cause },
    );
  }
}

function loadProfile(variables: Record<string, string>): Loaded {
  try {
    refuseHalfPair(variables);
    return loadClientConnectConfig({ overrideEnvVars: variables });
  } catch (error) {
    // envconfig 1.24 stumbles over a config file without any profile: one that is empty, or all comments.
    const withoutProfiles = error instanceof TypeError && variables["TEMPORAL_PROFILE"] === undefined;
    if (!withoutProfiles) throw error;
    return loadClientConnectConfig({ overrideEnvVars: variables, disableFile: true });
  }
}

/** envconfig drops a certificate without its key, and the server then says that it wants a certificate. */
function refuseHalfPair(variables: Record<string, string>): void {
  const { tls } = loadClientConfigProfile({ overrideEnvVars: variables });
  if (tls === undefined || (tls.clientCert === undefined) === (tls.clientKey === undefined)) return;
  const [here, missing] = tls.clientKey === undefined ? ["certificate", "key"] : ["key", "certificate"];
  throw new Error(`it names a client ${here} and no client ${missing}`);
}

/** An empty variable is how compose files say "not set"; only for gRPC metadata it has a meaning of its own. */
function presentVariables(env: Environment): Record<string, string> {
  const present: Record<string, string> = {};
  for (const [name, value] of Object.entries(env)) {
    if (value === undefined) continue;
    if (value === "" && name.startsWith("TEMPORAL_") && !name.startsWith("TEMPORAL_GRPC_META_")) continue;
    present[name] = value;
  }
  return present;
}

/** A TOML parser's message quotes the lines around the mistake, and with them whatever secret is there. */
function reasonWithoutContent(cause: unknown): string {
  if (cause instanceof Error && "codeblock" in cause) {
    const place = "line" in cause && typeof cause.line === "number" ? ` at line ${cause.line}` : "";
    return `the config file is not valid TOML${place}`;
  }
  return messageOf(cause);
}

function refuseHalfConfigured(hasCredentials: boolean, namespace: string | undefined): void {
  if (!hasCredentials && (namespace === undefined || namespace === EMBEDDED_NAMESPACE)) return;
  const what = hasCredentials ? "TLS or an API key" : `the namespace ${namespace}`;
  throw new TowpathError(
    "Usage",
    `Temporal's configuration names ${what} but no address. Set TEMPORAL_ADDRESS (or address in the profile), or remove the rest to use the embedded server.`,
  );
}
