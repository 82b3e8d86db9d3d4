import type { Client } from "@temporalio/client";
import { connect } from "../adapters/temporal/connect.js";
import { embeddedEndpoint, ensureEmbedded, type EmbeddedServer } from "../adapters/temporal/embedded.js";
import { keyRing } from "../adapters/temporal/encryption/keys.js";
import { requireKnownEncryption } from "../adapters/temporal/encryption/known-encryption.js";
import type { TemporalEndpoint } from "../adapters/temporal/endpoint.js";
import { ensureSearchAttributes } from "../adapters/temporal/search-attributes.js";
import { temporalTarget } from "../adapters/temporal/target.js";
import { ensureWorker, type WorkerInfo } from "../worker/background.js";
import { dataDirectory } from "../adapters/store/data-directory.js";
import { SEARCH_ATTRIBUTES } from "../model/visibility.js";

export interface RuntimeOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly onProgress?: (message: string) => void;
  /**
   * `always`: this machine shall have a worker (`up`, `start`). `embedded`: only where Temporal is embedded too, for
   * with a Temporal of one's own the workers may live on other machines.
   */
  readonly worker: "always" | "embedded";
}

export interface TowpathRuntime {
  readonly dataDir: string;
  readonly endpoint: TemporalEndpoint;
  /** Null where Temporal is configured. */
  readonly server: EmbeddedServer | null;
  /** Null where no worker was asked for. */
  readonly worker: (WorkerInfo & { readonly reused: boolean }) | null;
}

/**
 * Sees to it that there is a Temporal to talk to, and a worker where one belongs.
 * @throws TowpathError `TemporalUnreachable`, `TemporalUnavailable`, `Usage`, `LockUnavailable`, `Internal`
 */
export async function ensureRuntime(options: RuntimeOptions): Promise<TowpathRuntime> {
  const dataDir = dataDirectory(options.env);
  const progress = options.onProgress === undefined ? {} : { onProgress: options.onProgress };
  const target = temporalTarget(options.env);
  if (target.kind === "configured") {
    const { endpoint } = target;
    await requireKnownEncryption(dataDir, endpoint.encryption);
    // A worker would wait for ever, and silently, for a Temporal that is not there.
    const { connection } = await connect(endpoint);
    const wanted = options.worker === "always";
    try {
      // Nor for search attributes that its namespace refuses.
      if (wanted) await ensureSearchAttributes(connection, endpoint.namespace, SEARCH_ATTRIBUTES);
    } finally {
      await connection.close();
    }
    const worker = wanted ? await ensureWorker({ dataDir, endpoint, env: options.env, ...progress }) : null;
    return { dataDir, endpoint, server: null, worker };
  }
  await requireKnownEncryption(dataDir, keyRing(options.env) ?? undefined);
  const server = await ensureEmbedded({ dataDir, env: options.env, ...progress });
  const endpoint = embeddedEndpoint(server, options.env);
  const worker = await ensureWorker({ dataDir, endpoint, env: options.env, ...progress });
  return { dataDir, endpoint, server, worker };
}

/**
 * Runs `body` with a client of the runtime, and closes its connection afterwards.
 * @throws TowpathError what `ensureRuntime` and `connect` throw, and what `body` throws
 */
export async function withClient<T>(
  options: RuntimeOptions,
  body: (client: Client, runtime: TowpathRuntime) => Promise<T>,
): Promise<T> {
  const runtime = await ensureRuntime(options);
  const client = await connect(runtime.endpoint);
  try {
    return await body(client, runtime);
  } finally {
    await client.connection.close();
  }
}
