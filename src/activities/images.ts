import { Engine } from "../adapters/docker/engine.js";
import { applyPrune } from "../adapters/docker/prune.js";
import { pullImage, type Pulled } from "../adapters/docker/pull.js";
import { noteSeen } from "../adapters/images/first-seen.js";
import { diskUsedPercent } from "../adapters/machine/disk.js";
import { containerImages } from "../model/containers/settings.js";
import { TowpathError } from "../model/errors.js";
import {
  estimatedBytes,
  isOfRepository,
  onlyShown,
  planPrune,
  type PrunePlan,
} from "../model/images/prune-plan.js";
import {
  formatReference,
  type ImageReference,
  parseReference,
  repositoryOf,
  tryParseReference,
} from "../model/images/reference.js";
import {
  boundedReport,
  emptyReport,
  type RefreshReport,
  type RefreshRequest,
} from "../model/images/refresh.js";
import type { ImageFacts } from "../model/images/snapshot.js";
import { isTerminal, MigrationStatus } from "../model/manifest.js";
import { beatWith, heartbeating } from "./heartbeat.js";
import { type Host, openSpecMigration } from "./host.js";

/** Whoever sets this to 0 wants images neither pulled nor pruned. */
export const PRUNE_VARIABLE = "TOWPATH_IMAGE_PRUNE";

/** True when this host opted out of refreshing images. */
export function optedOut(host: Host): boolean {
  return host.environment[PRUNE_VARIABLE] === "0";
}

/** A refresh that is under way. */
interface Flight {
  readonly reference: string;
  readonly report: Promise<RefreshReport>;
}

/** Those of this process, by engine and repository. */
const flights = new Map<string, Flight>();

/**
 * Pulls an image, and removes what it supersedes unless something keeps it. A failed pull removes nothing, and is told
 * in the report. Of requests for one image the first is carried out, and its report is everybody's; one for another tag of
 * the repository waits its turn.
 */
export function refreshImage(host: Host, request: RefreshRequest): Promise<RefreshReport> {
  return heartbeating(async (signal) => {
    const reference = parseReference(request.reference);
    const report = emptyReport(formatReference(reference), repositoryOf(reference));
    if (!request.prune || optedOut(host)) return { ...report, outcome: "skipped" };
    const engine = await Engine.of(host.environment);
    const key = `${engine.endpoint.host} ${report.repository} ${request.dryRun ? "planned" : "applied"}`;
    for (;;) {
      const flight =
        flights.get(key) ??
        begin(key, report.reference, () => refresh(host, engine, reference, request, report));
      // Whoever gives up waiting leaves the others their answer.
      const told = Promise.race([flight.report, aborted(signal)]);
      if (flight.reference === report.reference) return await told;
      // How the other one's ends is not this one's business.
      await told.catch(() => signal.throwIfAborted());
    }
  });
}

function begin(key: string, reference: string, carryOut: () => Promise<RefreshReport>): Flight {
  const flight = { reference, report: carryOut().finally(() => flights.delete(key)) };
  flights.set(key, flight);
  return flight;
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}

async function refresh(
  host: Host,
  engine: Engine,
  reference: ImageReference,
  request: RefreshRequest,
  report: RefreshReport,
): Promise<RefreshReport> {
  const pulled = await tryPull(engine, reference);
  if ("problem" in pulled) return { ...report, outcome: "pull-failed", ...pulled };
  const { digest, changed, id } = pulled;
  const told = { ...report, pulled: { reference: report.reference, digest, changed } };
  const plan = await makePlan(host, engine, reference, request, id);
  const shown = request.shown === null ? plan : onlyShown(plan, request.shown);
  if (request.dryRun) {
    return boundedReport({
      ...told,
      outcome: "planned",
      plan: shown,
      kept: plan.kept,
      estimatedBytes: estimatedBytes(shown),
    });
  }
  return boundedReport({ ...told, kept: plan.kept, ...(await apply(engine, shown)) });
}

async function apply(
  engine: Engine,
  plan: PrunePlan,
): Promise<Pick<RefreshReport, "removed" | "skipped" | "failed" | "estimatedBytes" | "measuredBytes">> {
  if (plan.remove.length === 0) {
    return { removed: [], skipped: [], failed: [], estimatedBytes: 0, measuredBytes: null };
  }
  const before = await engine.layerBytes();
  const { removed, skipped, failed } = await applyPrune(engine, plan);
  const measuredBytes = removed.length === 0 ? null : Math.max(0, before - (await engine.layerBytes()));
  return {
    removed: [...removed],
    skipped: [...skipped],
    failed: [...failed],
    estimatedBytes: removed.reduce((sum, { bytes }) => sum + bytes, 0),
    measuredBytes,
  };
}

const PULL_PROBLEMS = new Set([
  "ImageNotFound",
  "RegistryRefused",
  "PullFailed",
  "EngineUnreachable",
  "EngineFailed",
]);

async function tryPull(
  engine: Engine,
  reference: ImageReference,
): Promise<Pulled | { problem: string; problemType: string; local: boolean }> {
  try {
    return await pullImage(engine, reference, {
      onProgress: (progress) => beatWith({ pulling: formatReference(reference), ...progress }),
    });
  } catch (error) {
    if (!(error instanceof TowpathError) || !PULL_PROBLEMS.has(error.type)) throw error;
    return { problem: error.message, problemType: error.type, local: await isLocal(engine, reference) };
  }
}

async function isLocal(engine: Engine, reference: ImageReference): Promise<boolean> {
  try {
    return (await engine.image(formatReference(reference))) !== null;
  } catch (error) {
    if (error instanceof TowpathError && error.type === "EngineUnreachable") return false;
    throw error;
  }
}

async function makePlan(
  host: Host,
  engine: Engine,
  reference: ImageReference,
  request: RefreshRequest,
  currentId: string,
): Promise<PrunePlan> {
  const pressure = await isUnderPressure(engine, request);
  // Containers first: one that is made meanwhile is of an image that is then still listed.
  const containers = await engine.containers();
  const images = await engine.images();
  const now = host.now();
  const present = images.filter((image) => isOfRepository(reference, image)).map(({ id }) => id);
  const existing = images.map(({ id }) => id);
  const firstSeen = await noteSeen(host.dataDir, repositoryOf(reference), present, existing, now);
  const reserved = await reservedImages(host, images);
  return planPrune(reference, request, {
    images,
    containers,
    currentId,
    reserved,
    firstSeen,
    nowMs: now.getTime(),
    pressure,
  });
}

async function isUnderPressure(engine: Engine, request: RefreshRequest): Promise<boolean> {
  const { aboveBytes, aboveDiskPercent } = request;
  if (aboveBytes !== null && (await engine.layerBytes()) < aboveBytes) return false;
  if (aboveDiskPercent === null) return true;
  const { rootDirectory } = await engine.info();
  return (await diskUsedPercent(rootDirectory)) >= aboveDiskPercent;
}

/** Ids of the images that migrations of this host which are not over will run their next commands in. */
async function reservedImages(host: Host, images: readonly ImageFacts[]): Promise<string[]> {
  const wanted = new Set<string>();
  for (const listed of await host.store.list()) {
    if (!("manifest" in listed) || listed.manifest.mode !== "spec") continue;
    const status = MigrationStatus.safeParse(listed.manifest.status);
    if (status.success && isTerminal(status.data)) continue;
    for (const image of await imagesOf(host, listed.id)) wanted.add(normalised(image));
  }
  return images
    .filter(({ tags, digests }) => [...tags, ...digests].some((name) => wanted.has(normalised(name))))
    .map(({ id }) => id);
}

async function imagesOf(host: Host, migrationId: string): Promise<string[]> {
  try {
    return containerImages((await openSpecMigration(host, migrationId)).spec);
  } catch (error) {
    // A damaged migration runs nothing until somebody mends it, and its image can be pulled again.
    if (error instanceof TowpathError) return [];
    throw error;
  }
}

function normalised(name: string): string {
  const reference = tryParseReference(name);
  return reference === null ? name : formatReference(reference);
}
