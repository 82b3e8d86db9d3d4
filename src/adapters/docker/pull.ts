import { z } from "zod";
import { messageOf, TowpathError } from "../../model/errors.js";
import { familiarName, formatReference, type ImageReference } from "../../model/images/reference.js";
import { registryCredentials, secretsOf } from "./credentials.js";
import type { Engine } from "./engine.js";
import { EngineAnswer } from "./failures.js";
import { jsonLines } from "./json-lines.js";

/** How far a pull has come; plain JSON for heartbeats. */
export interface PullProgress {
  readonly status: string;
  readonly layers: number;
  readonly layersDone: number;
  readonly bytes: number;
  readonly totalBytes: number;
}

export interface Pulled {
  /** Full id, by inspect. */
  readonly id: string;
  /** The digest under which the registry has it; the id where the engine tells none. */
  readonly digest: string;
  /** The reference meant another image before, or none. */
  readonly changed: boolean;
}

const Line = z.looseObject({
  status: z.string().optional(),
  id: z.string().optional(),
  error: z.string().optional(),
  errorDetail: z.looseObject({ message: z.string().optional() }).nullish(),
  progressDetail: z.looseObject({ current: z.number().optional(), total: z.number().optional() }).nullish(),
});
type Line = z.infer<typeof Line>;

/**
 * Pulls an image and proves by inspect that it is there.
 * @throws TowpathError `ImageNotFound`, `RegistryRefused` (401, 403), `PullFailed` (429, 5xx, a cut stream, an error
 * inside it), `EngineUnreachable`. No message holds a credential
 */
export async function pullImage(
  engine: Engine,
  reference: ImageReference,
  options: {
    readonly signal?: AbortSignal | undefined;
    readonly onProgress?: ((progress: PullProgress) => void) | undefined;
  } = {},
): Promise<Pulled> {
  const name = formatReference(reference);
  const before = await engine.image(name);
  const credentials = await registryCredentials(reference.registry, engine.env);
  try {
    // A reference without tag and digest would pull every tag of the repository.
    const tag = reference.digest ?? reference.tag ?? "latest";
    const stream = await engine.pullStream(familiarName(reference), tag, credentials, options.signal);
    await readPull(stream, options.onProgress);
  } catch (error) {
    options.signal?.throwIfAborted();
    throw pullFailure(name, error, secretsOf(credentials));
  }
  const after = await engine.image(name);
  if (after === null) {
    throw new TowpathError(
      "PullFailed",
      `The engine says that it pulled ${name}, and does not have it: try again`,
    );
  }
  return {
    id: after.id,
    digest: digestOf(after.digests, reference) ?? after.id,
    changed: before?.id !== after.id,
  };
}

async function readPull(
  stream: NodeJS.ReadableStream,
  onProgress: ((progress: PullProgress) => void) | undefined,
): Promise<void> {
  const layers = new Map<string, { current: number; total: number; done: boolean }>();
  for await (const value of jsonLines(stream)) {
    const line = Line.safeParse(value);
    if (!line.success) continue;
    const problem = line.data.errorDetail?.message ?? line.data.error;
    if (problem !== undefined) throw new EngineAnswer(statusIn(problem), problem);
    noteLayer(layers, line.data);
    onProgress?.(progressOf(layers, line.data));
  }
}

type Layers = Map<string, { current: number; total: number; done: boolean }>;

function noteLayer(layers: Layers, { id, status, progressDetail }: Line): void {
  if (id === undefined || !/^[0-9a-f]{12,64}$/.test(id)) return;
  const known = layers.get(id) ?? { current: 0, total: 0, done: false };
  const isDownload = status === "Downloading";
  layers.set(id, {
    current: isDownload ? (progressDetail?.current ?? known.current) : known.current,
    total: isDownload ? (progressDetail?.total ?? known.total) : known.total,
    done: known.done || status === "Pull complete" || status === "Already exists",
  });
}

function progressOf(layers: Layers, line: Line): PullProgress {
  const all = [...layers.values()];
  return {
    status: line.status ?? "",
    layers: all.length,
    layersDone: all.filter(({ done }) => done).length,
    bytes: all.reduce((sum, { current }) => sum + current, 0),
    totalBytes: all.reduce((sum, { total }) => sum + total, 0),
  };
}

/** Inside the stream, and under a status of 500, the registry's refusals are only words. */
function statusIn(text: string): number {
  if (/manifest unknown|not found|does not exist|name unknown/i.test(text)) return 404;
  if (/unauthorized|denied|authentication required|no basic auth/i.test(text)) return 401;
  if (/toomanyrequests|too many requests|rate limit/i.test(text)) return 429;
  return 500;
}

function pullFailure(name: string, error: unknown, secrets: readonly string[]): unknown {
  if (error instanceof TowpathError) return error;
  const text = masked(messageOf(error), secrets);
  if (!(error instanceof EngineAnswer)) {
    return new TowpathError("PullFailed", `The pull of ${name} was cut off: ${text}. It is tried again`);
  }
  // "repository does not exist or may require 'docker login'" is how a registry hides what is private.
  const status = error.status === 500 ? statusIn(error.message) : error.status;
  if (status === 404 && !/docker login/.test(error.message)) {
    return new TowpathError(
      "ImageNotFound",
      `There is no image ${name} in its registry: ${text}. Check its name and tag`,
    );
  }
  if (status === 404 || status === 401 || status === 403) {
    return new TowpathError(
      "RegistryRefused",
      `The registry refused ${name}: ${text}. Check its name, and log in on this host with 'docker login'`,
    );
  }
  const why = status === 429 ? "too many pulls; wait, or log in" : "the registry or the network failed";
  return new TowpathError("PullFailed", `The pull of ${name} failed (${why}): ${text}`, {
    details: { status },
  });
}

function masked(text: string, secrets: readonly string[]): string {
  return secrets
    .filter((secret) => secret !== "")
    .reduce((masking, secret) => masking.replaceAll(secret, "***"), text);
}

function digestOf(digests: readonly string[], reference: ImageReference): string | null {
  const prefix = `${familiarName(reference)}@`;
  const own = digests.find((digest) => digest.startsWith(prefix) || digest.startsWith(`docker.io/${prefix}`));
  return own?.slice(own.indexOf("@") + 1) ?? null;
}
