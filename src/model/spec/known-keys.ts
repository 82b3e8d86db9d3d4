import { z } from "zod";
import type { SpecPath } from "./problems.js";
import { Spec } from "./schema.js";

type Schema = z.core.$ZodType;

function unwrapped(schema: Schema): Schema {
  return schema instanceof z.ZodOptional ? unwrapped(schema.unwrap()) : schema;
}

function below(schema: Schema, part: string | number): Schema[] {
  const inner = unwrapped(schema);
  if (inner instanceof z.ZodUnion) return inner.options.flatMap((option) => below(option, part));
  if (inner instanceof z.ZodArray) return typeof part === "number" ? [inner.element] : [];
  if (inner instanceof z.ZodRecord) return [inner.valueType];
  if (!(inner instanceof z.ZodObject)) return [];
  const next: Schema | undefined = Object.hasOwn(inner.shape, part) ? inner.shape[part] : undefined;
  return next === undefined ? [] : [next];
}

function schemasAt(path: SpecPath): Schema[] {
  return path.reduce<Schema[]>((schemas, part) => schemas.flatMap((schema) => below(schema, part)), [Spec]);
}

/** The keys that a mapping at this path may have. */
export function knownKeys(path: SpecPath): string[] {
  return schemasAt(path)
    .map(unwrapped)
    .flatMap((schema) => (schema instanceof z.ZodObject ? Object.keys(schema.shape) : []));
}
