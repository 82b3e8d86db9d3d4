import { z } from "zod";
import type { MigrationStatus, Waiting } from "./manifest.js";
import type { Phase } from "./phases.js";
import type { Spec } from "./spec/schema.js";

/**
 * What Temporal's visibility is asked for, by name and type. PostgreSQL's has ten columns for keywords and three for
 * numbers; these must fit beside those of others. They are stored in clear: nothing secret may stand in them.
 */
export const SearchAttributeName = z.enum([
  "TowpathStatus",
  "TowpathPhase",
  "TowpathProgress",
  "TowpathWaitingFor",
  "TowpathTarget",
  "TowpathRepository",
  "TowpathHost",
  "TowpathKind",
]);
export type SearchAttributeName = z.infer<typeof SearchAttributeName>;

/** The type of each, as Temporal calls it. */
export const SEARCH_ATTRIBUTES = {
  TowpathStatus: "KEYWORD",
  TowpathPhase: "KEYWORD",
  TowpathProgress: "INT",
  TowpathWaitingFor: "KEYWORD",
  TowpathTarget: "KEYWORD",
  TowpathRepository: "KEYWORD",
  TowpathHost: "KEYWORD",
  TowpathKind: "KEYWORD",
} as const satisfies Record<SearchAttributeName, "KEYWORD" | "INT">;

/** Marks a workflow that was started with encryption, in its memo. */
export const SEALED_MEMO = "sealed";

/** The longest text that an SQL visibility store takes in a keyword. */
const KEYWORD_LENGTH = 255;

/** Where a migration's steps are done: by people, by commands on the host, or by commands of which some run in containers. */
export type RunKind = "hands-on" | "host" | "container";

/** What people look for migrations by; it changes as the migration goes on. */
export interface MovingFacts {
  readonly status: MigrationStatus;
  readonly phase: Phase;
  /** Whole per cent. */
  readonly progress: number;
  /** `host`: for its host to come back. */
  readonly waitingFor: Waiting["kind"] | "host" | null;
}

/** The same, fixed when the migration starts. */
export interface FixedFacts {
  readonly target: string;
  /** Path or URL of the codebase. */
  readonly source: string;
  readonly hostId: string;
}

/** Values by name; null: has none. */
export type AttributeValues = Readonly<Partial<Record<SearchAttributeName, string | number | null>>>;

/** The search attributes of a migration as it stands. */
export function movingAttributes(facts: MovingFacts): AttributeValues {
  return {
    TowpathStatus: facts.status,
    TowpathPhase: facts.phase,
    TowpathProgress: facts.progress,
    TowpathWaitingFor: facts.waitingFor,
  };
}

/** The search attributes that a migration keeps. Of a sealed one those are left out that tell what is migrated. */
export function fixedAttributes(facts: FixedFacts, sealed = false): AttributeValues {
  if (sealed) return { TowpathHost: keyword(facts.hostId) };
  return {
    TowpathTarget: keyword(facts.target),
    TowpathRepository: keyword(repositoryName(facts.source)),
    TowpathHost: keyword(facts.hostId),
  };
}

/** What a migration that was just started is found by. */
export function startAttributes(facts: FixedFacts, kind: RunKind, sealed = false): AttributeValues {
  const moving = { status: "in_progress", phase: "understand", progress: 0, waitingFor: null } as const;
  return { ...movingAttributes(moving), ...fixedAttributes(facts, sealed), TowpathKind: kind };
}

/** The last segment of a path or URL, without `.git`: how people call a repository. */
export function repositoryName(source: string): string {
  const segments = source.split(/[/\\:]+/).filter((segment) => segment !== "" && segment !== ".git");
  return segments.at(-1)?.replace(/\.git$/, "") ?? "unnamed";
}

/** @param spec null: there is none */
export function runKind(spec: Spec | null): RunKind {
  if (spec === null) return "hands-on";
  const steps = Object.values(spec.phases).flatMap((phase) => phase?.steps ?? []);
  const contained = [spec.defaults?.container, ...steps.map((step) => step.container)];
  return contained.some((container) => container !== undefined && container !== false) ? "container" : "host";
}

function keyword(text: string): string {
  return Array.from(text).slice(0, KEYWORD_LENGTH).join("");
}
