import picomatch from "picomatch";
import { z } from "zod";
import { type ImageReference, familiarName, repositoryOf, tryParseReference } from "./reference.js";
import type { ContainerFacts, ImageFacts } from "./snapshot.js";

/** An image with this label is never removed. */
export const KEEP_LABEL = "towpath.keep";

/** Why an image stays, in the order in which the reasons are looked for. */
export const KEEP_REASONS = [
  "not-ours",
  "current",
  "in-use",
  "reserved",
  "pinned",
  "tagged",
  "newest",
  "young",
  "below-threshold",
] as const;
export const KeepReason = z.enum(KEEP_REASONS);
export type KeepReason = z.infer<typeof KeepReason>;

/** An image that goes, and by which names. */
export const PlannedRemoval = z.object({
  id: z.string(),
  /** Ours only. */
  tags: z.array(z.string()),
  /** Ours only. */
  digests: z.array(z.string()),
  /** No name of anybody else's keeps it: what is left of it goes too. */
  whole: z.boolean(),
  bytes: z.number(),
});
export type PlannedRemoval = z.infer<typeof PlannedRemoval>;

export const KeptImage = z.object({ id: z.string(), references: z.array(z.string()), reason: KeepReason });
export type KeptImage = z.infer<typeof KeptImage>;

export const PrunePlan = z.object({
  /** Normalised: `docker.io/library/node`. */
  repository: z.string(),
  /** Full id of the image that the reference means now. */
  current: z.string(),
  remove: z.array(PlannedRemoval),
  /** Images of the repository that stay; those of others are only counted. */
  kept: z.array(KeptImage),
  notOurs: z.int().nonnegative(),
});
export type PrunePlan = z.infer<typeof PrunePlan>;

export interface PrunePolicy {
  /** So many of the repository's newest images stay, the current one included. */
  readonly keepNewest: number;
  /** Images that this host has seen for less than this stay. */
  readonly minAgeMs: number;
  /** Globs over tags (`v1.*`) and whole references (`app:v1.*`). */
  readonly pins: readonly string[];
  /** Only images that lost their tags are candidates. */
  readonly keepTagged: boolean;
}

export interface PruneSnapshot {
  readonly images: readonly ImageFacts[];
  /** In every state. */
  readonly containers: readonly Pick<ContainerFacts, "imageId">[];
  /** Full id of what the reference means now. */
  readonly currentId: string;
  /** Full ids of images that running migrations will use again. */
  readonly reserved: readonly string[];
  /** When this host first saw each image of the repository, ms since the epoch. */
  readonly firstSeen: Readonly<Record<string, number>>;
  readonly nowMs: number;
  /** False where a disk-pressure threshold is set and not reached: nothing goes then. */
  readonly pressure: boolean;
}

/** An image of our repository with its names split. */
interface OwnImage {
  readonly image: ImageFacts;
  readonly tags: readonly string[];
  readonly digests: readonly string[];
  readonly foreign: boolean;
}

/**
 * Decides which images of a repository go: those that nothing keeps. Pure; whoever applies it looks at the containers
 * again before each image.
 */
export function planPrune(
  reference: ImageReference,
  policy: PrunePolicy,
  snapshot: PruneSnapshot,
): PrunePlan {
  const own = snapshot.images.flatMap((image) => ownImage(reference, image, snapshot.firstSeen) ?? []);
  const reasonOf = keepReasons(own, policy, snapshot);
  const remove: PlannedRemoval[] = [];
  const kept: KeptImage[] = [];
  for (const each of own) {
    const reason = reasonOf(each);
    if (reason === null) remove.push(removalOf(each));
    else kept.push({ id: each.image.id, references: [...each.tags, ...each.digests], reason });
  }
  return {
    repository: repositoryOf(reference),
    current: snapshot.currentId,
    remove,
    kept,
    notOurs: snapshot.images.length - own.length,
  };
}

/** Of a plan, what another one that was shown to somebody lists as well, name by name. */
export function onlyShown(plan: PrunePlan, shown: PrunePlan): PrunePlan {
  const listed = new Map(shown.remove.map((removal) => [removal.id, removal]));
  const remove = plan.remove.flatMap((removal) => {
    const seen = listed.get(removal.id);
    if (seen === undefined || shown.repository !== plan.repository) return [];
    const tags = removal.tags.filter((tag) => seen.tags.includes(tag));
    const digests = removal.digests.filter((digest) => seen.digests.includes(digest));
    const complete = tags.length === removal.tags.length && digests.length === removal.digests.length;
    return [{ ...removal, tags, digests, whole: removal.whole && seen.whole && complete }];
  });
  return { ...plan, remove };
}

/** Bytes of all layers of what goes; layers that others share stay on disk, so that it is an upper bound. */
export function estimatedBytes(plan: PrunePlan): number {
  return plan.remove.filter(({ whole }) => whole).reduce((sum, { bytes }) => sum + bytes, 0);
}

/** True when one of an image's names is of this repository. */
export function isOfRepository(reference: ImageReference, image: ImageFacts): boolean {
  return [...image.tags, ...image.digests].some((name) => isOurs(reference, name));
}

/**
 * An image is ours by name, or because it once was: on the containerd image store a superseded image is left with the
 * name `moby-dangling@sha256:…`, on others with none at all.
 */
function ownImage(
  reference: ImageReference,
  image: ImageFacts,
  firstSeen: PruneSnapshot["firstSeen"],
): OwnImage | null {
  const tags = image.tags.filter((name) => isOurs(reference, name));
  const digests = image.digests.filter((name) => isOurs(reference, name));
  const named = tags.length + digests.length > 0;
  const others = [...image.tags, ...image.digests].filter(
    (name) => !isOurs(reference, name) && !isDangling(name),
  );
  if (!named && (others.length > 0 || !Object.hasOwn(firstSeen, image.id))) return null;
  return { image, tags, digests, foreign: others.length > 0 };
}

function isOurs(reference: ImageReference, name: string): boolean {
  const parsed = tryParseReference(name);
  return parsed !== null && repositoryOf(parsed) === repositoryOf(reference);
}

function isDangling(name: string): boolean {
  return name.startsWith("moby-dangling@") || name.startsWith("<none>");
}

function keepReasons(
  own: readonly OwnImage[],
  policy: PrunePolicy,
  snapshot: PruneSnapshot,
): (own: OwnImage) => KeepReason | null {
  const used = new Set(snapshot.containers.map(({ imageId }) => imageId));
  const reserved = new Set(snapshot.reserved);
  const newest = newestOf(own, policy.keepNewest, snapshot);
  const pinned = pinMatcher(policy.pins);
  const seenMs = (id: string): number => snapshot.firstSeen[id] ?? snapshot.nowMs;
  return (each) => {
    const { image } = each;
    if (image.id === snapshot.currentId) return "current";
    if (used.has(image.id)) return "in-use";
    if (reserved.has(image.id)) return "reserved";
    if (image.labels[KEEP_LABEL] === "true" || each.tags.some(pinned)) return "pinned";
    if (policy.keepTagged && each.tags.length > 0) return "tagged";
    if (newest.has(image.id)) return "newest";
    if (snapshot.nowMs - seenMs(image.id) < policy.minAgeMs) return "young";
    return snapshot.pressure ? null : "below-threshold";
  };
}

/** When an image was built says nothing about when it came here; the build time only decides between equals. */
function newestOf(own: readonly OwnImage[], count: number, snapshot: PruneSnapshot): Set<string> {
  const rank = ({ image }: OwnImage): readonly [number, number, number] => [
    image.id === snapshot.currentId ? 1 : 0,
    snapshot.firstSeen[image.id] ?? snapshot.nowMs,
    image.createdMs,
  ];
  const sorted = [...own].sort((a, b) => {
    const [ranksA, ranksB] = [rank(a), rank(b)];
    return ranksB[0] - ranksA[0] || ranksB[1] - ranksA[1] || ranksB[2] - ranksA[2];
  });
  return new Set(sorted.slice(0, Math.max(0, count)).map(({ image }) => image.id));
}

function pinMatcher(pins: readonly string[]): (name: string) => boolean {
  if (pins.length === 0) return () => false;
  const matches = picomatch([...pins], { dot: true });
  return (name) => {
    const parsed = tryParseReference(name);
    if (parsed === null) return false;
    return (
      matches(parsed.tag ?? "") || matches(name) || matches(`${familiarName(parsed)}:${parsed.tag ?? ""}`)
    );
  };
}

function removalOf({ image, tags, digests, foreign }: OwnImage): PlannedRemoval {
  return { id: image.id, tags: [...tags], digests: [...digests], whole: !foreign, bytes: image.bytes };
}
