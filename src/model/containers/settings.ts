import type { Spec, SpecContainer } from "../spec/schema.js";
import { PHASES } from "../phases.js";

/** A container's settings with every default applied. */
export interface ContainerSettings {
  readonly image: string;
  /** `none`, `bridge`, or a network of the engine by name. */
  readonly network: string;
  readonly memoryBytes: number;
  readonly cpus: number;
  readonly pids: number;
  /** Still with its `${{ }}`. */
  readonly env: Readonly<Record<string, string>>;
  /** `uid` or `uid:gid`; null: whoever owns the workspace. */
  readonly user: string | null;
  /** The image is refreshed before it is used: pulled, and what it supersedes removed. */
  readonly prune: boolean;
}

const GIB = 1024 ** 3;
const DEFAULTS = { network: "none", memoryBytes: 4 * GIB, cpus: 2, pids: 2048 } as const;
const UNITS: Readonly<Record<string, number>> = { b: 1, k: 1024, m: 1024 ** 2, g: GIB };

type ContainerFields = Exclude<SpecContainer, string | false>;

/** Reads `512m` or `2g`; null for anything else. */
export function parseMemory(text: string): number | null {
  const match = /^(\d{1,9}(?:\.\d{1,3})?)([bkmg])$/i.exec(text);
  if (match === null) return null;
  return Math.round(Number(match[1]) * (UNITS[(match[2] ?? "b").toLowerCase()] ?? 1));
}

/** The container of commands that belong to no step: setup, baseline, features' tests, gates. Null: the host. */
export function defaultContainer(spec: Spec): ContainerSettings | null {
  return settingsOf(fieldsOf(spec.defaults?.container));
}

/** A step's container: its own settings over the defaults'; null where it runs on the host. */
export function stepContainer(spec: Spec, own: SpecContainer | undefined): ContainerSettings | null {
  if (own === false) return null;
  const defaults = fieldsOf(spec.defaults?.container);
  if (own === undefined) return settingsOf(defaults);
  const fields = fieldsOf(own);
  return settingsOf({ ...defaults, ...fields, env: { ...defaults?.env, ...fields?.env } });
}

/** Every image that a spec's commands run in, as written, each once. */
export function containerImages(spec: Spec): string[] {
  return [...new Set(containersOf(spec).map(({ image }) => image))];
}

/** Those of them that are pulled before they are used, and whose superseded predecessors are removed. */
export function refreshedImages(spec: Spec): string[] {
  const containers = containersOf(spec);
  const left = new Set(containers.filter(({ prune }) => !prune).map(({ image }) => image));
  return containerImages(spec).filter((image) => !left.has(image));
}

function containersOf(spec: Spec): ContainerSettings[] {
  const steps = PHASES.flatMap((phase) => spec.phases[phase]?.steps ?? []);
  const own = steps
    .filter((step) => step.uses === undefined)
    .map((step) => stepContainer(spec, step.container));
  return [defaultContainer(spec), ...own].filter((container) => container !== null);
}

function fieldsOf(container: SpecContainer | undefined): ContainerFields | null {
  if (container === undefined || container === false) return null;
  return typeof container === "string" ? { image: container } : container;
}

function settingsOf(fields: ContainerFields | null): ContainerSettings | null {
  if (fields?.image === undefined) return null;
  const { image, network, memory, cpus, pids, env, user, prune } = fields;
  return {
    image,
    network: network ?? DEFAULTS.network,
    memoryBytes: (memory === undefined ? null : parseMemory(memory)) ?? DEFAULTS.memoryBytes,
    cpus: cpus ?? DEFAULTS.cpus,
    pids: pids ?? DEFAULTS.pids,
    env: Object.fromEntries(Object.entries(env ?? {}).map(([name, value]) => [name, String(value)])),
    user: user === undefined ? null : String(user),
    prune: prune ?? true,
  };
}
