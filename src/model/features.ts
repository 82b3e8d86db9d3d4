import { z } from "zod";
import { isObject, parseJson, parseShape, refuseIfAny, unwrap, type Parsed } from "./artefact-text.js";

/** A characterised behaviour of the codebase. `passes` is a boolean: the string "false" would count as true. */
export const Feature = z.looseObject({
  id: z.string().min(1),
  category: z.string().default(""),
  description: z.string().default(""),
  verification_steps: z.array(z.string()).default([]),
  passes: z.boolean().default(false),
  characterization_test: z.string().default(""),
  risk: z.string().default("low"),
  notes: z.string().default(""),
});
export type Feature = z.infer<typeof Feature>;

const FeatureList = z.array(Feature);

/** Reads the text of `features.json`: a list, bare or wrapped as `{"features": […]}`. */
export function parseFeatures(text: string): Parsed<Feature[]> {
  const json = parseJson(text);
  return json.ok ? featuresOf(json.value) : json;
}

function featuresOf(value: unknown): Parsed<Feature[]> {
  return parseShape("features", FeatureList, unwrap("features", value));
}

/**
 * The rules beyond the shape: every feature says what it is and whether it passes, instead of leaving it to a
 * default, and no two share an id.
 */
export function validateFeatures(text: string): Parsed<Feature[]> {
  const json = parseJson(text);
  if (!json.ok) return json;
  const shape = featuresOf(json.value);
  const missing = missingKeys(unwrap("features", json.value));
  if (!shape.ok) return { ok: false, problems: [...shape.problems, ...missing] };
  return refuseIfAny(shape.value, [...missing, ...duplicateIds("features", shape.value)]);
}

function missingKeys(list: unknown): string[] {
  if (!Array.isArray(list)) return [];
  const items: readonly unknown[] = list;
  return items.flatMap((item, index) =>
    ["description", "passes"]
      .filter((key) => isObject(item) && (item[key] === undefined || item[key] === ""))
      .map((key) => `features[${index}].${key}: is missing`),
  );
}

/** One problem for every id that is used again. */
export function duplicateIds(name: string, items: readonly { readonly id: string }[]): string[] {
  const seen = new Set<string>();
  return items.flatMap(({ id }, index) => {
    if (seen.has(id)) return [`${name}[${index}].id: '${id}' is used more than once`];
    seen.add(id);
    return [];
  });
}
