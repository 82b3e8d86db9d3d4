import type { SpecPath } from "./problems.js";

/** True for a mapping as YAML or JSON has it. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function childOf(value: unknown, part: string | number): unknown {
  if (Array.isArray(value)) return typeof part === "number" ? value[part] : undefined;
  return isRecord(value) && Object.hasOwn(value, part) ? value[part] : undefined;
}

/** The value at a path, undefined where there is none. */
export function valueAt(value: unknown, path: SpecPath): unknown {
  return path.reduce(childOf, value);
}

/** A copy without the value at a path. List items are not removed: that would move those behind them. */
export function without(value: unknown, path: SpecPath): unknown {
  const [part, ...rest] = path;
  if (part === undefined) return value;
  if (Array.isArray(value)) {
    return value.map((item: unknown, index) => (index === part ? without(item, rest) : item));
  }
  if (!isRecord(value)) return value;
  const entries = Object.entries(value);
  if (rest.length === 0) return Object.fromEntries(entries.filter(([key]) => key !== part));
  return Object.fromEntries(entries.map(([key, item]) => [key, key === part ? without(item, rest) : item]));
}

/** Every text in a value, with its path. */
export function textsIn(
  value: unknown,
  path: SpecPath = [],
): { readonly path: SpecPath; readonly text: string }[] {
  if (typeof value === "string") return [{ path, text: value }];
  if (Array.isArray(value)) return value.flatMap((item: unknown, index) => textsIn(item, [...path, index]));
  if (!isRecord(value)) return [];
  return Object.entries(value).flatMap(([key, item]) => textsIn(item, [...path, key]));
}
