import { z } from "zod";
import { Spec } from "./schema.js";

/** The id under which editors find the schema that `towpath schema` prints. */
export const SPEC_SCHEMA_ID = "towpath.schema.json";

/**
 * The spec's JSON Schema (draft 2020-12), for completion and checking in editors. It knows the shape; rules between
 * parts of a spec (names, order, paths) are `parseSpec`'s alone.
 */
export function specJsonSchema(): Record<string, unknown> {
  const schema = z.toJSONSchema(Spec, { target: "draft-2020-12", io: "input" });
  return { $id: SPEC_SCHEMA_ID, ...schema };
}
