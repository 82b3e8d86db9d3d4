import type { z } from "zod";
import { messageOf } from "./errors.js";

/** What reading an artefact gives: the value, or everything that is wrong with it. */
export type Parsed<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problems: readonly string[] };

/** A reading that found nothing wrong. */
export function parsed<T>(value: T): Parsed<T> {
  return { ok: true, value };
}

/** A reading that failed; also used to add rules that a shape cannot say. */
export function refuseIfAny<T>(value: T, problems: readonly string[]): Parsed<T> {
  return problems.length === 0 ? parsed(value) : { ok: false, problems };
}

/** Text to JSON; a syntax error becomes the one problem. */
export function parseJson(text: string): Parsed<unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return parsed(value);
  } catch (error) {
    return { ok: false, problems: [`not valid JSON: ${messageOf(error)}`] };
  }
}

/** Checks a value against a schema; problems carry the path below `name`. */
export function parseShape<T>(name: string, schema: z.ZodType<T>, value: unknown): Parsed<T> {
  const result = schema.safeParse(value);
  if (result.success) return parsed(result.data);
  return { ok: false, problems: result.error.issues.map((issue) => describe(name, issue)) };
}

function describe(name: string, issue: z.core.$ZodIssue): string {
  return `${placeOf(name, issue.path)}: ${issue.message}`;
}

/** `features[2].passes` for the path `[2, "passes"]`. */
export function placeOf(name: string, path: readonly PropertyKey[]): string {
  return path.reduce<string>(
    (place, key) => (typeof key === "number" ? `${place}[${key}]` : `${place}.${String(key)}`),
    name,
  );
}

/** Artefacts of lists come bare or wrapped under their own name: `[…]` or `{"features": […]}`. */
export function unwrap(name: string, value: unknown): unknown {
  return isObject(value) && Object.hasOwn(value, name) ? value[name] : value;
}

/** True for a JSON object. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
