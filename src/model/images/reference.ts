import { TowpathError } from "../errors.js";

/** A parsed image reference (grammar: distribution/reference). Every reference to one repository parses to the same first two parts. */
export interface ImageReference {
  /** `docker.io` where none is named; with its port, as written. */
  readonly registry: string;
  /** Path in the registry; `library/<name>` for docker.io's official images. */
  readonly repository: string;
  /** Null where a digest is given without a tag; else `latest` by default. */
  readonly tag: string | null;
  /** `sha256:<hex>`, or null. */
  readonly digest: string | null;
}

const DEFAULT_REGISTRY = "docker.io";
const OFFICIAL = "library";
const MAX_NAME_LENGTH = 255;

const COMPONENT = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const TAG = /^\w[\w.-]{0,127}$/;
const DIGEST = /^[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}$/;
const HOST =
  /^(?:\[[0-9a-fA-F:]+\]|[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*)(?::\d{1,5})?$/;
const IMAGE_ID = /^[0-9a-f]{64}$/;

/**
 * Reads a reference as the docker CLI does: the first part is a registry if it has a `.` or a `:`, is `localhost`, or is
 * an IPv6 address in brackets; the default is `docker.io/library`, and the default tag `latest`.
 * @throws TowpathError `Usage` saying what is wrong with it
 */
export function parseReference(text: string): ImageReference {
  const parsed = readReference(text);
  if (typeof parsed !== "string") return parsed;
  throw new TowpathError("Usage", `'${text}' is no image reference: ${parsed}`, {
    details: { reference: text },
  });
}

/** The same for what an engine lists: null for `<none>:<none>` and whatever else is no reference. */
export function tryParseReference(text: string): ImageReference | null {
  const parsed = readReference(text);
  return typeof parsed === "string" ? null : parsed;
}

/** What is wrong with a reference, in a few words; null when nothing is. */
export function referenceProblem(text: string): string | null {
  const parsed = readReference(text);
  return typeof parsed === "string" ? parsed : null;
}

function readReference(text: string): ImageReference | string {
  const at = text.indexOf("@");
  const digest = at === -1 ? null : text.slice(at + 1);
  if (digest !== null && !DIGEST.test(digest)) return "its digest is not of the form sha256:<64 hex digits>";
  const named = at === -1 ? text : text.slice(0, at);
  const { name, tag } = splitTag(named);
  if (tag !== null && !TAG.test(tag)) return "its tag is not one: letters, digits, '_', '.' and '-'";
  if (IMAGE_ID.test(name)) return "it is an image id, which names no repository";
  const { registry, path } = splitRegistry(name);
  if (path === "") return "it has no name";
  if (!HOST.test(registry)) return `'${registry}' is no registry`;
  const bad = path.split("/").find((part) => !COMPONENT.test(part));
  if (bad !== undefined) return nameProblem(bad);
  const isOfficial = registry === DEFAULT_REGISTRY && !path.includes("/");
  const repository = isOfficial ? `${OFFICIAL}/${path}` : path;
  if (registry.length + repository.length + 1 > MAX_NAME_LENGTH) return "its name is too long";
  return { registry, repository, tag: tag ?? (digest === null ? "latest" : null), digest };
}

function nameProblem(part: string): string {
  if (part === "") return "its name has an empty part";
  if (part !== part.toLowerCase()) return "its name must be in lower case";
  return `'${part}' is no part of a name: lower-case letters and digits, with '.', '_' or '-' between`;
}

/** `host:5000/r` has no tag: what follows a colon is one only behind the last slash. */
function splitTag(named: string): { name: string; tag: string | null } {
  const colon = named.lastIndexOf(":");
  if (colon <= named.lastIndexOf("/")) return { name: named, tag: null };
  return { name: named.slice(0, colon), tag: named.slice(colon + 1) };
}

function splitRegistry(name: string): { registry: string; path: string } {
  const slash = name.indexOf("/");
  const first = name.slice(0, Math.max(slash, 0));
  if (slash === -1 || !isHost(first)) return { registry: DEFAULT_REGISTRY, path: name };
  const registry = first === "index.docker.io" ? DEFAULT_REGISTRY : first;
  return { registry, path: name.slice(slash + 1) };
}

/** As the docker CLI tells a registry from a part of a path. */
function isHost(part: string): boolean {
  return /[.:]/.test(part) || part === "localhost" || part !== part.toLowerCase();
}

/** Registry and path: equal for all references to one repository. */
export function repositoryOf(reference: ImageReference): string {
  return `${reference.registry}/${reference.repository}`;
}

/** True when both name the same repository, whatever their tags and digests. */
export function sameRepository(a: ImageReference, b: ImageReference): boolean {
  return a.registry === b.registry && a.repository === b.repository;
}

/** The repository as people write it: without what is implied. */
export function familiarName({ registry, repository }: ImageReference): string {
  if (registry !== DEFAULT_REGISTRY) return `${registry}/${repository}`;
  const [first = "", ...rest] = repository.split("/");
  if (first === OFFICIAL && rest.length === 1) return rest.join("/");
  // `docker.io/a.b/c` without its registry would name another one.
  return isHost(first) ? `${registry}/${repository}` : repository;
}

/** The whole reference as people write it; the tag is always there unless only a digest was given. */
export function formatReference(reference: ImageReference): string {
  const tag = reference.tag === null ? "" : `:${reference.tag}`;
  const digest = reference.digest === null ? "" : `@${reference.digest}`;
  return `${familiarName(reference)}${tag}${digest}`;
}
