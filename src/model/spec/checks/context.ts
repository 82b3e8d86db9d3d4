import type { SpecDocument } from "../document.js";
import { type SpecPath, type SpecProblem, formatPath } from "../problems.js";
import type { Spec } from "../schema.js";

/** A spec of the right shape, on which the rules between its parts are checked. */
export interface CheckContext {
  readonly spec: Spec;
  readonly document: SpecDocument;
}

/** A problem with the value at a path. */
export function problemAt(
  { document }: CheckContext,
  path: SpecPath,
  message: string,
  suggestion?: string,
): SpecProblem {
  return withSuggestion({ message, path: formatPath(path), ...document.placeOf(path) }, suggestion);
}

/** A problem with the key at a path. */
export function problemAtKey({ document }: CheckContext, path: SpecPath, message: string): SpecProblem {
  return { message, path: formatPath(path), ...document.placeOfKey(path) };
}

/** A problem with the n-th occurrence of some text inside the value at a path. */
export function problemInside(
  { document }: CheckContext,
  path: SpecPath,
  inside: { readonly needle: string; readonly n: number },
  message: string,
  suggestion?: string,
): SpecProblem {
  const place = document.placeInside(path, inside.needle, inside.n);
  return withSuggestion({ message, path: formatPath(path), ...place }, suggestion);
}

function withSuggestion(problem: SpecProblem, suggestion: string | undefined): SpecProblem {
  return suggestion === undefined ? problem : { ...problem, suggestion };
}

/** The indices of those values that stood in the list before. */
export function repeated(values: readonly string[]): number[] {
  const first = new Map<string, number>();
  return values.flatMap((value, index) => {
    if (first.has(value)) return [index];
    first.set(value, index);
    return [];
  });
}
