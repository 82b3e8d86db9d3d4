import picomatch from "picomatch";

export type ChangeKind = "added" | "modified" | "deleted" | "type-changed";

/** One path that differs between a commit and a worktree. A rename is a deletion and an addition. */
export interface Change {
  /** Relative to the top of the worktree, `/` between parts; bytes that are not UTF-8 read as U+FFFD. */
  readonly path: string;
  readonly kind: ChangeKind;
}

export interface Scope {
  /** Globs of what a step may change; absent: everything in the project. */
  readonly include?: readonly string[] | undefined;
  /** Globs of what a step may not change; wins over `include`. */
  readonly protect?: readonly string[] | undefined;
  /** The project's directory below the top of the worktree; `""` or absent: the top itself. */
  readonly prefix?: string | undefined;
}

export interface ScopeViolation extends Change {
  readonly reason: "outside" | "protected";
}

const GLOB_CHARACTERS = /[*?[\]{}()!+@\\]/;

/** Names that a message lists before it counts the rest. */
const NAMED_FILES = 10;

/**
 * The changes that a step was not allowed to make, in the order of `changes`. Patterns are globs relative to the project's
 * directory; dot files match like others; a name without glob characters covers the directory of that name too.
 * What lies outside the project's directory is always a violation.
 */
export function scopeViolations(changes: readonly Change[], scope: Scope): ScopeViolation[] {
  const prefix = directoryPrefix(scope.prefix ?? "");
  const included = scope.include === undefined ? () => true : matcher(scope.include);
  const isProtected = matcher(scope.protect ?? []);
  const violations: ScopeViolation[] = [];
  for (const change of changes) {
    const path = change.path.startsWith(prefix) ? change.path.slice(prefix.length) : undefined;
    if (path !== undefined && isProtected(path)) violations.push({ ...change, reason: "protected" });
    else if (path === undefined || !included(path)) violations.push({ ...change, reason: "outside" });
  }
  return violations;
}

/** What to tell the one who made the changes: which files, and why they are refused. `""` without violations. */
export function scopeMessage(violations: readonly ScopeViolation[]): string {
  const outside = violations.filter((violation) => violation.reason === "outside");
  const guarded = violations.filter((violation) => violation.reason === "protected");
  return [
    sentence(guarded, "protected by the step's scope and must not change"),
    sentence(outside, "outside the step's scope"),
  ]
    .filter((text) => text !== "")
    .join("\n");
}

/** `a, b, c … and N more`: at most ten names, control characters escaped. */
export function listFiles(paths: readonly string[]): string {
  const named = paths.slice(0, NAMED_FILES).map(printable).join(", ");
  return paths.length > NAMED_FILES ? `${named} … and ${paths.length - NAMED_FILES} more` : named;
}

function sentence(violations: readonly ScopeViolation[], what: string): string {
  if (violations.length === 0) return "";
  const count = violations.length === 1 ? "1 changed file is" : `${violations.length} changed files are`;
  return `${count} ${what}: ${listFiles(violations.map((violation) => violation.path))}`;
}

function printable(path: string): string {
  return /[\p{Cc}\p{Zl}\p{Zp}"\\]/u.test(path) ? JSON.stringify(path) : path;
}

function directoryPrefix(prefix: string): string {
  const trimmed = prefix.replace(/^(\.?\/)+|\/+$/g, "");
  return trimmed === "" || trimmed === "." ? "" : `${trimmed}/`;
}

function matcher(patterns: readonly string[]): (path: string) => boolean {
  const globs = patterns.flatMap(globsOf);
  if (globs.length === 0) return () => false;
  // Flag s: without it `**` does not match a name that contains a newline, and such a file would escape `protect`.
  return picomatch(globs, { dot: true, nonegate: true, flags: "s" });
}

function globsOf(pattern: string): string[] {
  const relative = pattern.replace(/^(\.?\/)+/, "");
  const bare = relative.replace(/\/+$/, "");
  if (bare === "" || bare === ".") return ["**"];
  const isDirectory = bare !== relative;
  if (GLOB_CHARACTERS.test(bare)) return isDirectory ? [`${bare}/**`] : [bare];
  return [bare, `${bare}/**`];
}
