import { TowpathError } from "../../model/errors.js";

/** A migration that a reference may mean. */
export interface Candidate {
  readonly id: string;
  /** ISO time at which it was created; "" where that is not known. */
  readonly createdAt: string;
}

export const LATEST = "@latest";

const REFERENCE = /^[A-Za-z0-9_-]+$/;
const SHOWN_CANDIDATES = 10;

/** The text of an unknown migration, as users and scripts rely on it. */
export function migrationNotFound(reference: string): TowpathError {
  return new TowpathError("MigrationNotFound", `Migration not found: ${reference}`, {
    details: { reference },
  });
}

function ambiguous(reference: string, matches: readonly string[]): TowpathError {
  const shown = matches.slice(0, SHOWN_CANDIDATES).map((id) => `  ${id}`);
  const more = matches.length - shown.length;
  const rest = more > 0 ? [`  … and ${more} more`] : [];
  const head = `'${reference}' begins the ids of ${matches.length} migrations; give more of the one that you mean:`;
  return new TowpathError("Usage", [head, ...shown, ...rest].join("\n"), {
    details: { reference, candidates: matches.slice(0, SHOWN_CANDIDATES) },
  });
}

/**
 * Checks how a reference is written: a full id, the beginning of one, or `@latest`.
 * @throws TowpathError `InvalidMigrationId`
 */
export function checkReference(reference: string): void {
  if (reference !== LATEST && !REFERENCE.test(reference)) {
    throw new TowpathError("InvalidMigrationId", `Invalid migration id '${reference}'`);
  }
}

/** The newest of the candidates; the id decides between equal times. */
export function newest(candidates: readonly Candidate[]): Candidate | null {
  return candidates.reduce<Candidate | null>((best, candidate) => {
    if (best === null) return candidate;
    if (candidate.createdAt !== best.createdAt)
      return candidate.createdAt > best.createdAt ? candidate : best;
    return candidate.id > best.id ? candidate : best;
  }, null);
}

/**
 * The one migration that a reference means among those that are known. A full id wins over being the beginning of another.
 * @returns its id, or null where none matches
 * @throws TowpathError `InvalidMigrationId`, or `Usage` with the candidates where several begin with it
 */
export function matchReference(reference: string, candidates: readonly Candidate[]): string | null {
  checkReference(reference);
  if (reference === LATEST) return newest(candidates)?.id ?? null;
  if (candidates.some((candidate) => candidate.id === reference)) return reference;
  const matches = [...new Set(candidates.map((candidate) => candidate.id))]
    .filter((id) => id.startsWith(reference))
    .sort();
  if (matches.length > 1) throw ambiguous(reference, matches);
  return matches[0] ?? null;
}
